using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Portable;
using ShiftAddVit.Kernels.Reference;

namespace ShiftAddVit.Tests.Kernels;

public unsafe class ElementaryTests
{
    static float Exp(float x)
    {
        float y;
        Elementary.Exp(FloatLanes1.Create(x)).Store(&y);
        return y;
    }

    static float ComplementaryError(float z)
    {
        float y;
        Elementary.ComplementaryError(FloatLanes1.Create(z)).Store(&y);
        return y;
    }

    [Fact]
    public void Exp_is_as_accurate_as_it_says()
    {
        for (var x = -87f; x < 88; x += 0.00371f) Assert.InRange(Exp(x) / Math.Exp(x) - 1, -1.2e-7, 1.2e-7);
    }

    [Fact]
    public void Exp_of_0_is_1_and_the_ends_are_finite()
    {
        Assert.Equal(1, Exp(0));
        Assert.InRange(Exp(float.NegativeInfinity), 0, 1.7e-38f);
        Assert.True(float.IsFinite(Exp(float.MaxValue)));
    }

    /// <summary>1.5e-7 by the source; the terms of P, up to 1.5, round in float and cancel: less than six roundings of 6e-8.</summary>
    [Fact]
    public void The_complementary_error_function_is_as_accurate_as_its_source_says()
    {
        for (var z = 0f; z < 10; z += 0.00117f) Assert.InRange(ComplementaryError(z) - RowReference.ComplementaryError(z), -5e-7, 5e-7);
    }

    /// <summary>Values of erf from Abramowitz and Stegun, table 7.1, ten digits.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 0.5204998778)]
    [InlineData(1, 0.8427007929)]
    [InlineData(1.5, 0.9661051465)]
    [InlineData(2, 0.9953222650)]
    public void The_judge_agrees_with_the_printed_table(double z, double erf)
    {
        Assert.Equal(erf, 1 - RowReference.ComplementaryError(z), 10);
        Assert.Equal(-erf, 1 - RowReference.ComplementaryError(-z), 10);
    }

    [Fact]
    public void The_two_formulas_of_the_judge_meet() =>
        Assert.Equal(1, RowReference.ComplementaryError(2) / RowReference.ComplementaryError(double.BitDecrement(2)), 12);
}
