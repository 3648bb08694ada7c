using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class HeadComparisonTests
{
    static readonly KernelRegistry Registry = new(KernelIsa.Avx512Vnni);
    static readonly HeadShape Shape = new(Heads: 2, Tokens: 21, HeadSize: 10, Bits: 7);

    static HeadComparison Run(HeadProduct product) =>
        HeadComparison.Run(Registry, Shape, product, TimeSpan.Zero, TestContext.Current.CancellationToken);

    [Theory]
    [InlineData(HeadProduct.KeysValues, 7, 21, 10)]
    [InlineData(HeadProduct.Queries, 21, 7, 10)]
    [InlineData(HeadProduct.Scores, 21, 7, 21)]
    public void A_product_of_a_head_is_a_matrix_product(HeadProduct product, int m, int k, int n) => Assert.Equal(new(m, k, n), Shape.Of(product));

    [Theory]
    [InlineData(HeadProduct.KeysValues, "MatAdd_B1S8I32_", "MatMul_F32F32F32_", "MatMul_U8S8I32_")]
    [InlineData(HeadProduct.Queries, "MatAdd_B1I32I32_", "MatMul_F32F32F32_")]
    [InlineData(HeadProduct.Scores, "MatMul_B1B1I32_", "MatMul_F32F32F32_", "MatMul_U8S8I32_")]
    public void Every_kernel_of_a_product_stands_beside_the_chosen_multiplications(HeadProduct product, string adds, params string[] baselines)
    {
        var rows = Run(product).Rows.Select(row => row.Info).ToList();
        Assert.Equal(Registry.All.Where(info => $"{info.Name}".StartsWith(adds, StringComparison.Ordinal)), rows.Where(row => !IsBaseline(row)));
        Assert.Equal(baselines.Length, rows.Count(IsBaseline));
        Assert.All(baselines, baseline => Assert.Single(rows, row =>
            row.Verdict == KernelVerdict.Chosen && $"{row.Name}".StartsWith(baseline, StringComparison.Ordinal)));

        bool IsBaseline(KernelInfo row) => !$"{row.Name}".StartsWith(adds, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HeadProduct.KeysValues)]
    [InlineData(HeadProduct.Queries)]
    [InlineData(HeadProduct.Scores)]
    public void What_can_run_is_timed_and_checked(HeadProduct product)
    {
        var comparison = Run(product);
        Assert.True(comparison.AllCorrect);
        Assert.All(comparison.Rows, row => Assert.Equal(row.Info.Verdict == KernelVerdict.Refused, row.Timing is null));
        var float32 = comparison.Rows.Single(row => row.Info.Name == Registry.Float.Name);
        Assert.Equal(1, float32.SpeedupOverFloat32);
        Assert.All(comparison.Rows.Where(row => row.Timing is not null), row =>
            Assert.Equal(float32.Timing!.MinMs / row.Timing!.MinMs, row.SpeedupOverFloat32!.Value, 1e-9));
    }

    [Theory]
    [InlineData(0, 1, 1, 1)]
    [InlineData(1, 0, 1, 1)]
    [InlineData(1, 1, 0, 1)]
    [InlineData(1, 1, 1, 0)]
    [InlineData(1, 1, 1, 65)]
    [InlineData(1, 8193, 1, 1)]
    [InlineData(2, 8192, 1, 1)]
    [InlineData(int.MaxValue, 2, 1, 1)]
    public void Shapes_that_are_too_small_or_too_large_are_refused(int heads, int tokens, int headSize, int bits)
    {
        var shape = new HeadShape(heads, tokens, headSize, bits);
        Assert.False(HeadComparison.Allows(shape));
        Assert.Throws<ArgumentOutOfRangeException>(() => HeadComparison.Run(Registry, shape, HeadProduct.Queries, TimeSpan.Zero));
    }

    [Fact]
    public void The_shapes_of_the_paper_are_allowed() => Assert.All(HeadComparison.PaperShapes, shape => Assert.True(HeadComparison.Allows(shape)));
}
