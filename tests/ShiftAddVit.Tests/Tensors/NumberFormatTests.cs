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
    public void P5_has_31_values_and_every_code_but_negative_zero()
    {
        var values = Enumerable.Range(0, 32).Where(P5.IsCanonical).Select(code => P5.Decode(code) * (double)P5.Scale).Order().ToArray();
        var powers = Enumerable.Range(-14, 15).Select(p => Math.Pow(2, p)).ToArray();
        Assert.Equal([.. powers.Select(power => -power).Reverse(), 0, .. powers], values);
        Assert.All(Enumerable.Range(0, 32).Where(P5.IsCanonical), code => Assert.Equal(code, P5.Encode(P5.Decode(code))));
        Assert.False(P5.IsCanonical(16));
        Assert.Equal([0, .. Enumerable.Range(0, 15).Select(p => 1 << p)], Codebook.Of(WeightFormat.P5).Magnitudes);
    }

    [Theory]
    [InlineData(3), InlineData(-5), InlineData(32768), InlineData(16385), InlineData(int.MinValue)]
    public void P5_refuses_what_is_no_power_of_two_up_to_16384(int value) => Assert.Throws<ArgumentOutOfRangeException>(() => P5.Encode(value));

    [Fact]
    public void P5_is_made_of_two_bytes_that_every_kernel_takes()
    {
        foreach (var value in Enumerable.Range(0, 32).Select(P5.Decode))
        {
            var (high, low) = (P5.High(value), P5.Low(value));
            Assert.Equal(value, P5.HighWeight * high + low);
            Assert.True(high is > sbyte.MinValue && low is > sbyte.MinValue, $"{value}");
        }
    }

    /// <summary>DeepShift's rounding written a second time: of all exponents the one nearest to log2 |w|.</summary>
    [Fact]
    public void P5_rounds_the_logarithm()
    {
        var codebook = Codebook.Of(WeightFormat.P5);
        Gen.Select(Gen.Double[-30, 8], Gen.Bool).Sample((exponent, negative) =>
        {
            var w = (float)Math.Pow(2, exponent) * (negative ? -1 : 1);
            var nearest = Enumerable.Range(-14, 15).MinBy(p => Math.Abs(Math.Log2(Math.Abs(w)) - p));
            return codebook.Nearest(w / P5.Scale) * P5.Scale == Math.CopySign(Math.Pow(2, nearest), w);
        });
    }

    // The floats around the square roots of 2 and 1/2, 0, what underflows and what lies beyond the ends.
    [Theory]
    [InlineData(0.70710677f, 0.5f), InlineData(0.7071068f, 1), InlineData(-0.35355338f, -0.25f), InlineData(-0.3535534f, -0.5f)]
    [InlineData(0f, 0), InlineData(float.Epsilon, 1f / 16384), InlineData(-1e-9f, -1f / 16384), InlineData(5f, 1), InlineData(-3e38f, -1)]
    public void P5_keeps_zeros_and_clamps_the_rest(float w, float expected) =>
        Assert.Equal(expected, Codebook.Of(WeightFormat.P5).Nearest(w / P5.Scale) * P5.Scale);

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
