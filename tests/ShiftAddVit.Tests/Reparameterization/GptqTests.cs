using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Reparameterization;

public class GptqTests
{
    const int Inputs = 24;
    const int Tokens = 200;

    /// <summary>Tokens whose channels are correlated, as activations are.</summary>
    static float[] CorrelatedTokens(int seed)
    {
        var random = new Random(seed);
        var mixing = TinyModels.Normal(random, Inputs * Inputs, 1);
        var tokens = new float[Tokens * Inputs];
        for (var t = 0; t < Tokens; t++)
        {
            var latent = TinyModels.Normal(random, Inputs, 1);
            for (var i = 0; i < Inputs; i++)
                for (var j = 0; j < 4; j++) tokens[t * Inputs + i] += mixing[i * Inputs + j] * latent[j];
            for (var i = 0; i < Inputs; i++) tokens[t * Inputs + i] += 0.1f * latent[i];
        }
        return tokens;
    }

    static SecondMoment Moment(float[] tokens)
    {
        var values = new float[Inputs * Inputs];
        for (var t = 0; t < Tokens; t++)
            for (var i = 0; i < Inputs; i++)
                for (var j = 0; j <= i; j++) values[i * Inputs + j] += tokens[t * Inputs + i] * tokens[t * Inputs + j];
        return new(Inputs, values, Tokens);
    }

    static double OutputError(Tensor weight, Tensor quantised, float[] tokens)
    {
        double error = 0;
        for (var t = 0; t < Tokens; t++)
            for (var n = 0; n < weight.Shape[0]; n++)
            {
                double difference = 0;
                for (var k = 0; k < Inputs; k++) difference += (weight.Values[n * Inputs + k] - quantised.Values[n * Inputs + k]) * tokens[t * Inputs + k];
                error += difference * difference;
            }
        return error;
    }

    [Theory]
    [InlineData(WeightFormat.P4), InlineData(WeightFormat.P5)]
    public void Feedback_lowers_the_output_error_on_correlated_inputs(WeightFormat format)
    {
        var tokens = CorrelatedTokens(5);
        var weight = new Tensor(new(16, Inputs), TinyModels.Normal(new Random(6), 16 * Inputs, 0.1f));
        var nearest = OutputError(weight, NearestQuantizer.Quantize(weight, format).ToFloat32(), tokens);
        var gptq = OutputError(weight, GptqQuantizer.Quantize(weight, format, Moment(tokens)).ToFloat32(), tokens);
        Assert.InRange(gptq, 0, 0.5 * nearest);
    }

    [Fact]
    public void Uncorrelated_inputs_leave_rounding_to_nearest()
    {
        var identity = new float[Inputs * Inputs];
        for (var i = 0; i < Inputs; i++) identity[i * Inputs + i] = 1;
        var weight = new Tensor(new(8, Inputs), TinyModels.Normal(new Random(7), 8 * Inputs, 0.1f));
        var nearest = NearestQuantizer.Quantize(weight, WeightFormat.P4P4);
        var gptq = GptqQuantizer.Quantize(weight, WeightFormat.P4P4, new(Inputs, identity, 1));
        Assert.Equal(nearest.Plane.Codes.ToArray(), gptq.Plane.Codes.ToArray());
    }

    [Fact]
    public void Inputs_that_never_vary_do_no_harm()
    {
        var weight = new Tensor(new(8, Inputs), TinyModels.Normal(new Random(8), 8 * Inputs, 0.1f));
        var quantised = GptqQuantizer.Quantize(weight, WeightFormat.P4, new(Inputs, new float[Inputs * Inputs], 0));
        Assert.Equal(NearestQuantizer.Quantize(weight, WeightFormat.P4).Plane.Codes.ToArray(), quantised.Plane.Codes.ToArray());
    }

    [Fact]
    public void Cholesky_factors_multiply_back_and_invert()
    {
        const int Size = 19;
        var random = new Random(9);
        var a = new double[Size * Size];
        var b = TinyModels.Normal(random, Size * Size, 1);
        for (var i = 0; i < Size; i++)
            for (var j = 0; j < Size; j++)
                for (var k = 0; k < Size; k++) a[i * Size + j] += (double)b[i * Size + k] * b[j * Size + k] + (i == j ? 0.1 : 0);
        var lower = (double[])a.Clone();
        Cholesky.Factor(lower, Size);
        var inverse = (double[])lower.Clone();
        Cholesky.InvertLower(inverse, Size);
        for (var i = 0; i < Size; i++)
            for (var j = 0; j < Size; j++)
            {
                Assert.Equal(a[i * Size + j], Enumerable.Range(0, Size).Sum(k => lower[i * Size + k] * lower[j * Size + k]), 1e-9);
                Assert.Equal(i == j ? 1 : 0, Enumerable.Range(0, Size).Sum(k => lower[i * Size + k] * inverse[k * Size + j]), 1e-9);
            }
    }

    [Fact]
    public void Dot_products_are_summed_in_one_order_on_every_machine()
    {
        for (var length = 0; length < 40; length++)
        {
            var a = TinyModels.Normal(new Random(length), 2 * length, 1).Select(x => (double)x).ToArray();
            var (x, y) = (a[..length], a[length..]);
            var lanes = new double[8];
            for (var i = 0; i < length / 8 * 8; i++) lanes[i % 8] += x[i] * y[i];
            double Pair(int lane) => lanes[lane] + lanes[lane + 4];
            var expected = (Pair(0) + Pair(1)) + (Pair(2) + Pair(3));
            for (var i = length / 8 * 8; i < length; i++) expected += x[i] * y[i];
            Assert.Equal(expected, Cholesky.Dot(x, y));
        }
    }
}
