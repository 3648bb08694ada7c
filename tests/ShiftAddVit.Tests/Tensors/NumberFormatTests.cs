using CsCheck;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Tensors;

public class NumberFormatTests
{
    [Fact]
    public void P4_has_15_values_and_every_code_but_negative_zero()
    {
        var values = Enumerable.Range(0, 16).Where(P4.IsCanonical).Select(P4.Decode).Order().ToArray();
        Assert.Equal([-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64], values);
        Assert.All(values, value => Assert.Equal(value, P4.Decode(P4.Encode(value))));
        Assert.False(P4.IsCanonical(8));
    }

    [Theory]
    [InlineData(3), InlineData(-5), InlineData(128), InlineData(65), InlineData(int.MinValue)]
    public void P4_refuses_what_is_no_power_of_two_up_to_64(int value) => Assert.Throws<ArgumentOutOfRangeException>(() => P4.Encode(value));

    [Fact]
    public void P4P4_has_the_39_magnitudes_that_two_shifts_reach()
    {
        // From the definition, by brute force over all pairs of terms.
        int[] terms = [0, .. Enumerable.Range(0, 7).SelectMany(p => new[] { 1 << p, -(1 << p) })];
        var reachable = terms.SelectMany(a => terms.Select(b => Math.Abs(a + b))).Where(m => m <= 127).Distinct().Order().ToArray();
        Assert.Equal(39, reachable.Length);
        Assert.Equal(reachable, Codebook.Of(WeightFormat.P4P4).Magnitudes);
        Assert.All(reachable, m => Assert.Equal((m, -m), (P4P4.Decode(P4P4.Encode(m)), P4P4.Decode(P4P4.Encode(-m)))));
    }

    [Fact]
    public void P4P4_has_one_canonical_code_a_value()
    {
        var canonical = Enumerable.Range(0, 256).Select(code => (byte)code).Where(P4P4.IsCanonical).ToArray();
        Assert.Equal(77, canonical.Length);
        Assert.Equal(77, canonical.Select(P4P4.Decode).Distinct().Count());
    }

    [Theory]
    [InlineData(3, 2, 1), InlineData(7, 8, -1), InlineData(-7, -8, 1), InlineData(96, 64, 32), InlineData(6, 4, 2), InlineData(64, 64, 0), InlineData(63, 64, -1)]
    public void P4P4_prefers_few_terms_then_sums(int value, int first, int second)
    {
        var code = P4P4.Encode(value);
        Assert.Equal((first, second), (P4.Decode(code & 15), P4.Decode(code >> 4)));
    }

    [Theory]
    [InlineData(WeightFormat.S8), InlineData(WeightFormat.P4), InlineData(WeightFormat.P4P4)]
    public void Nearest_is_nearest(WeightFormat format)
    {
        var codebook = Codebook.Of(format);
        int[] values = [.. codebook.Magnitudes, .. codebook.Magnitudes.Select(m => -m)];
        Gen.Float[-300, 300].Sample(x =>
        {
            var best = values.Min(v => Math.Abs((double)v - x));
            return Math.Abs((double)codebook.Nearest(x) - x) == best;
        });
    }

    [Theory]
    [InlineData(0.5f, 1), InlineData(1.5f, 2), InlineData(3f, 4), InlineData(-3f, -4), InlineData(48f, 64), InlineData(1e30f, 64), InlineData(-1e30f, -64)]
    public void A_tie_goes_away_from_zero(float x, int expected) => Assert.Equal(expected, Codebook.Of(WeightFormat.P4).Nearest(x));

    [Fact]
    public void Half_precision_is_recognised()
    {
        Assert.True(HalfPrecision.IsExact([0f, -0f, 1f, 65504f, 5.9604645e-8f]));
        Assert.False(HalfPrecision.IsExact([1.0001f]));
        Assert.False(HalfPrecision.IsExact([65520f]));
        Assert.Null(HalfPrecision.Round([1e6f]));
    }
}
