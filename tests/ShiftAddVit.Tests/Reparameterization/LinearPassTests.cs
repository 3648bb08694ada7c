using CsCheck;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Reparameterization;

public class LinearPassTests
{
    static readonly VitGraph Dense = TinyModels.Create();

    [Theory]
    [InlineData(WeightFormat.S8), InlineData(WeightFormat.P4), InlineData(WeightFormat.P4P4), InlineData(WeightFormat.P5)]
    public void The_linears_of_the_blocks_change_and_nothing_else(WeightFormat format)
    {
        var result = LinearPass.Apply(Dense, format);
        Assert.Equal(
            Dense.Linears().Where(l => l.Name.StartsWith("blocks", StringComparison.Ordinal)).Select(l => l.Name),
            result.Changes.Select(change => change.Layer));
        foreach (var (before, after) in Dense.Linears().Zip(result.Graph.Linears()))
            if (LinearPass.Converts(before)) Assert.Equal(format, after.Weight.Format);
            else Assert.Same(before.Weight, after.Weight);
        Assert.Equal([$"linear {format} nearest"], result.Graph.Provenance.Steps);
    }

    [Fact]
    public void F32_changes_nothing() => Assert.Same(Dense, LinearPass.Apply(Dense, WeightFormat.F32).Graph);

    [Fact]
    public void The_reported_error_is_that_of_the_weights()
    {
        var result = LinearPass.Apply(Dense, WeightFormat.P4);
        var before = Dense.Blocks[0].Mlp.Fc1.Weight.ToFloat32().Values;
        var after = result.Graph.Blocks[0].Mlp.Fc1.Weight.ToFloat32().Values;
        double error = 0, energy = 0;
        for (var i = 0; i < before.Length; i++) (error, energy) = (error + Math.Pow(before[i] - (double)after[i], 2), energy + Math.Pow(before[i], 2));
        Assert.Equal(error / energy, result.Changes.Single(c => c.Layer == "blocks.0.mlp.fc1").RelativeError, 1e-12);
    }

    [Fact]
    public void Errors_on_normal_weights_are_those_of_the_formats()
    {
        // One power of two: 3.4 % of the energy for Gaussian weights, without a scale that fits them 4.2 %; two terms: 0.1 %; 8-bit integers: well
        // under 0.1 %.
        var weight = new Tensor(new(64, 256), TinyModels.Normal(new Random(3), 64 * 256, 0.02f));
        double Error(WeightFormat format) => LayerChange.Error(weight.Values, NearestQuantizer.Quantize(weight, format).ToFloat32().Values);
        Assert.InRange(Error(WeightFormat.P4), 0.025, 0.037);
        Assert.InRange(Error(WeightFormat.P5), 0.038, 0.045);
        Assert.InRange(Error(WeightFormat.P4P4), 0.0005, 0.002);
        Assert.InRange(Error(WeightFormat.S8), 0.00001, 0.0002);
    }

    [Theory]
    [InlineData(WeightFormat.S8), InlineData(WeightFormat.P4), InlineData(WeightFormat.P4P4)]
    public void No_scale_of_the_grid_is_better(WeightFormat format)
    {
        const double FloatRounding = 1.001;
        var codebook = Codebook.Of(format);
        Gen.Int.Sample(seed =>
        {
            var row = TinyModels.Normal(new Random(seed), 48, 0.1f);
            var found = NearestQuantizer.BestScale(row, codebook);
            // Half to twice the scale that maps the largest weight to the largest level, in steps of 2 %.
            var grid = Enumerable.Range(-32, 65).Select(i => row.Max(Math.Abs) / codebook.Max * MathF.Pow(2, i / 32f));
            return Error(row, found, codebook) <= FloatRounding * grid.Min(scale => Error(row, scale, codebook));
        }, iter: 100);
    }

    [Theory]
    [InlineData(WeightFormat.S8), InlineData(WeightFormat.P4), InlineData(WeightFormat.P4P4)]
    public void The_scale_is_the_least_squares_one_for_its_integers(WeightFormat format)
    {
        var codebook = Codebook.Of(format);
        Gen.Int.Sample(seed =>
        {
            var row = TinyModels.Normal(new Random(seed), 48, 0.1f);
            var scale = NearestQuantizer.BestScale(row, codebook);
            var integers = row.Select(w => (double)codebook.Nearest(w / scale)).ToArray();
            var leastSquares = row.Zip(integers, (w, q) => w * q).Sum() / integers.Sum(q => q * q);
            return Math.Abs(leastSquares - scale) <= 0.01 * scale;
        }, iter: 100);
    }

    static double Error(float[] row, float scale, Codebook codebook) => row.Sum(w => Math.Pow(w - (double)scale * codebook.Nearest(w / scale), 2));

    /// <summary>DeepShift-PS: P = clamp(round(log2 |w|), -14, 0), S = sign w, and no scale.</summary>
    [Fact]
    public void P5_weights_are_those_of_deepshift()
    {
        float[] w = [.. TinyModels.Normal(new Random(5), 1000, 0.05f), 0, -0f, 3, 1e-7f, -1e-30f];
        var quantised = NearestQuantizer.Quantize(new(new(5, 201), w), WeightFormat.P5);
        var expected = w.Select(x => x == 0 ? 0 : Math.CopySign(Math.Pow(2, Math.Clamp(Math.Round(Math.Log2(Math.Abs(x))), -14, 0)), x));
        Assert.Equal(expected, quantised.ToFloat32().Values.ToArray().Select(x => (double)x));
        Assert.All(quantised.Scales.Memory.ToArray(), scale => Assert.Equal(P5.Scale, scale));
        // 201 codes are 1005 bits, 126 bytes.
        Assert.Equal(8.0 * 126 / 201, quantised.BitsPerWeight);
    }

    [Fact]
    public void A_row_of_zeros_stays_zero()
    {
        var quantised = NearestQuantizer.Quantize(new(new(2, 3), [0, 0, 0, 1, 2, 4]), WeightFormat.P4);
        Assert.Equal([0, 0, 0], quantised.ToFloat32().Values[..3].ToArray());
        Assert.Equal([1, 2, 4], quantised.ToFloat32().Values[3..].ToArray());
    }

    [Fact]
    public void A_quantised_model_is_not_quantised_again()
    {
        var once = LinearPass.Apply(Dense, WeightFormat.P4).Graph;
        var error = Assert.Throws<ShiftAddVitException>(() => LinearPass.Apply(once, WeightFormat.S8));
        Assert.Contains("blocks.0.attn.qkv is P4 already", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_precision_rounds_the_rest_and_says_so()
    {
        var result = HalfPrecisionPass.Apply(Dense);
        Assert.Contains(result.Changes, change => change.Layer == "head.weight" && change.RelativeError is > 0 and < 1e-6);
        result.Graph.MapTensors((name, tensor) => { Assert.True(HalfPrecision.IsExact(tensor.Values), name); return tensor; });
    }

    [Fact]
    public void Values_beyond_half_precision_stay()
    {
        var graph = Dense with { Norm = Dense.Norm with { Gamma = new(new(20), [.. Enumerable.Repeat(1e6f, 20)]) } };
        Assert.Equal(1e6f, HalfPrecisionPass.Apply(graph).Graph.Norm.Gamma.Values[0]);
    }

    static Dictionary<string, SecondMoment> Moments() => Dense.Linears().Where(LinearPass.Converts).ToDictionary(
        linear => linear.Name, linear => new SecondMoment(linear.Weight.Inputs, Identity(linear.Weight.Inputs), 1));

    static float[] Identity(int size)
    {
        var values = new float[size * size];
        for (var i = 0; i < size; i++) values[i * size + i] = 1;
        return values;
    }

    public static TheoryData<string, SecondMoment?> UnusableMoments => new()
    {
        { "no second moment", null },
        { "second moment of 3 inputs", new(3, new float[9], 1) },
        { "of 399 values", new(20, new float[399], 1) },
    };

    [Theory, MemberData(nameof(UnusableMoments))]
    public void Second_moments_that_are_missing_or_of_another_size_are_refused_before_any_work(string words, SecondMoment? moment)
    {
        const string Layer = "blocks.1.mlp.fc1";
        var moments = Moments();
        if (moment is null) moments.Remove(Layer);
        else moments[Layer] = moment;
        var progress = new CountedProgress();
        var error = Assert.Throws<ArgumentException>("moments", () => LinearPass.Apply(Dense, WeightFormat.P4, moments, progress: progress));
        Assert.Contains(Layer, error.Message, StringComparison.Ordinal);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Equal(0, progress.Reports);
    }

    [Theory]
    [InlineData(float.PositiveInfinity), InlineData(float.NaN), InlineData(float.NegativeInfinity)]
    public void Second_moments_that_overflow_are_refused_by_layer(float value)
    {
        var moments = Moments();
        moments["blocks.1.attn.proj"].Values[7 * 20 + 7] = value;
        var error = Assert.Throws<ShiftAddVitException>(() => LinearPass.Apply(Dense, WeightFormat.P4, moments));
        Assert.Equal("tiny.safetensors: blocks.1.attn.proj: the calibration images overflow its inputs", error.Message);
    }

    [Fact]
    public void Second_moments_that_are_none_are_refused_by_layer()
    {
        var moments = Moments();
        moments["blocks.0.attn.proj"].Values[7 * 20 + 7] = -5;
        var error = Assert.Throws<ShiftAddVitException>(() => LinearPass.Apply(Dense, WeightFormat.P4, moments));
        Assert.Contains("blocks.0.attn.proj", error.Message, StringComparison.Ordinal);
        Assert.Contains("positive definite", error.Message, StringComparison.Ordinal);
    }

    sealed class CountedProgress : IProgress<PassProgress>
    {
        public int Reports { get; private set; }

        public void Report(PassProgress value) => Reports++;
    }

    // What the methods allocate for each weight on the thread that rounds its row: a float, and with feedback a double as well.
    [Theory]
    [InlineData("nearest", sizeof(float)), InlineData("gptq", sizeof(float) + sizeof(double))]
    public void One_thread_does_all_rows_itself_and_more_change_no_bit(string method, int bytesPerWeight)
    {
        const int Rows = 1024, Columns = 64;
        var weight = new Tensor(new(Rows, Columns), TinyModels.Normal(new Random(3), Rows * Columns, 0.02f));
        var moment = new SecondMoment(Columns, Identity(Columns), 1);
        QuantizedWeight Quantize(int threads) => method == "nearest"
            ? NearestQuantizer.Quantize(weight, WeightFormat.P4, threads)
            : GptqQuantizer.Quantize(weight, WeightFormat.P4, moment, threads);
        var expected = Quantize(1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Quantize(1);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, Rows * Columns * bytesPerWeight, long.MaxValue);
        foreach (var threads in new[] { 2, 4 })
        {
            var quantised = Quantize(threads);
            Assert.Equal(expected.Plane.Codes, quantised.Plane.Codes);
            Assert.Equal(expected.Scales.Values, quantised.Scales.Values);
        }
    }

    [Fact]
    public void A_pass_uses_at_least_one_thread() =>
        Assert.Throws<ArgumentOutOfRangeException>("threads", () => LinearPass.Apply(Dense, WeightFormat.P4, threads: 0));
}
