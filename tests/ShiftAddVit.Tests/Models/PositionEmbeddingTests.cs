using ShiftAddVit.Checkpoints;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Golden;

namespace ShiftAddVit.Tests.Models;

public class PositionEmbeddingTests
{
    /// <summary>Both sides round float64 sums of values around 1 to float32 once: half a unit in the last place each.</summary>
    const float Tolerance = 5e-7f;

    [Theory]
    [InlineData(1, 3, 5), InlineData(2, 5, 3), InlineData(1, 4, 7), InlineData(0, 7, 2), InlineData(1, 2, 6), InlineData(2, 7, 12)]
    public void Resampled_grids_are_those_of_PyTorch(int prefix, int from, int to)
    {
        using var golden = Checkpoint.Open(GoldenFiles.PathOf("positions"));
        var before = golden.ReadFloat32($"{prefix}_{from}_{to}.before");
        var expected = golden.ReadFloat32($"{prefix}_{from}_{to}.after");
        var actual = PositionEmbedding.Resample(before, prefix, to);
        Assert.Equal(expected.Shape, actual.Shape);
        Assert.InRange(GoldenFiles.MaxDifference(expected.Values, actual.Values), 0, Tolerance);
        Assert.Equal(before.Values[..(prefix * 3)], actual.Values[..(prefix * 3)]);
    }

    [Fact]
    public void The_same_grid_is_the_same_tensor()
    {
        var positions = new Tensor(new(2 + 9, 4), TinyModels.Normal(new(1), 44, 1));
        Assert.Same(positions, PositionEmbedding.Resample(positions, 2, 3));
    }

    [Fact]
    public void A_constant_grid_stays_constant()
    {
        var positions = new Tensor(new(25, 1), [.. Enumerable.Repeat(0.375f, 25)]);
        foreach (var side in new[] { 1, 2, 3, 8, 11 })
            Assert.All(PositionEmbedding.Resample(positions, 0, side).Memory.ToArray(), value => Assert.Equal(0.375f, value, 1e-7f));
    }

    [Fact]
    public void Positions_that_are_no_square_are_refused() =>
        Assert.Throws<ArgumentException>(() => PositionEmbedding.Resample(new(new(7, 1), new float[7]), 1, 3));
}
