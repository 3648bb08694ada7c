using ShiftAddVit.Checkpoints;
using ShiftAddVit.Kernels.Reference;

namespace ShiftAddVit.Tests.Golden;

/// <summary>The released code's formulas against its own modules (eng/golden/make_released.py), and what is wrong with them.</summary>
public sealed class AsReleasedTests : IDisposable
{
    /// <summary>
    /// Float32 there, double here. Outputs below 1.6 are sums of some 30 values of about that size; each addition rounds by at most 6e-8 of
    /// it, and as these add up as a random walk, 1e-6 is far. Seen: 2e-7.
    /// </summary>
    const double Tolerance = 1e-6;

    /// <summary>Of the largest input of a row, which no weight enlarges: 8 additions in float32, each rounding by at most 6e-8.</summary>
    const double ShiftTolerance = 5e-7;

    /// <summary>Codes of 0 and 1 are exact: the fixture holds no element that rounding could carry over its threshold.</summary>
    const double Exact = 0;

    const int Heads = 2, HeadSize = 8;

    readonly Checkpoint _golden = Checkpoint.Open(GoldenFiles.PathOf("as_released"));

    public void Dispose() => _golden.Dispose();

    [Theory, InlineData("ksh"), InlineData("ksh.part"), InlineData("ksh.zero")]
    public void Hashing_attention_is_that_of_the_released_module(string name)
    {
        var codes = Hash(name);
        AssertEqual(Read(name + ".codes"), codes, Exact);
        AssertEqual(Read(name + ".y"), Attend(name, codes, codes), Tolerance);
    }

    [Theory, InlineData("quant_v2"), InlineData("quant_v2.alone"), InlineData("quant_v2.zero")]
    [InlineData("quant_v1"), InlineData("quant_v1.alone"), InlineData("quant_v1.zero")]
    public void Threshold_attention_is_that_of_the_released_module(string name)
    {
        var (codesQ, codesK) = (Codes(name, "q"), Codes(name, "k"));
        var tolerance = IsScaled(name) ? Tolerance : Exact;
        AssertEqual(Read(name + ".codes_q"), codesQ, tolerance);
        AssertEqual(Read(name + ".codes_k"), codesK, tolerance);
        AssertEqual(Read(name + ".y"), Attend(name, codesQ, codesK), Tolerance);
    }

    [Theory, InlineData("quant_v2", "q"), InlineData("quant_v2", "k"), InlineData("quant_v1", "q"), InlineData("quant_v1", "k")]
    public void Codes_of_an_image_depend_on_the_images_beside_it(string form, string part)
    {
        var alone = Codes(form + ".alone", part);
        Assert.Equal(Read($"{form}.alone.{part}"), Read($"{form}.{part}")[..alone.Length]);
        Assert.True(MaxDifference(alone, Codes(form, part)[..alone.Length]) > 1e-3);
    }

    [Fact]
    public void Hashes_of_a_token_depend_on_the_tokens_beside_it()
    {
        var (part, whole) = (Hash("ksh.part"), Hash("ksh"));
        Assert.Equal(Read("ksh.part.qk")[..HeadSize], Read("ksh.qk")[..HeadSize]);
        var perHead = part.Length / Heads;
        Assert.NotEqual(part[..perHead], whole[..perHead]);
    }

    [Fact]
    public void A_token_of_zeros_takes_attention_from_others()
    {
        Assert.All(Codes("quant_v1.zero", "q"), code => Assert.Equal(double.NaN, code));
        var v2 = Codes("quant_v2.zero", "q");
        Assert.All(v2[..(v2.Length / 2)], code => Assert.Equal(0, code));
        var hashes = Hash("ksh.zero");
        Assert.Contains(1.0, hashes[..(hashes.Length / 2)]);
        Assert.All(hashes[(hashes.Length / 2)..], bit => Assert.Equal(0, bit));
    }

    [Fact]
    public void Shift_layers_are_those_of_the_released_module()
    {
        double[] x = Read("shift.x"), bias = Read("shift.bias"), expected = Read("shift.y");
        var y = AsReleased.Linear(x, Read("shift.shift"), Read("shift.sign"), bias);
        var k = x.Length / (expected.Length / bias.Length);
        for (var m = 0; m < x.Length / k; m++)
        {
            var row = (m * bias.Length)..((m + 1) * bias.Length);
            var largest = x[(m * k)..((m + 1) * k)].Max(Math.Abs);
            AssertEqual(expected[row], y[row], ShiftTolerance * Math.Max(1, largest));
        }
    }

    double[] Hash(string name)
    {
        double[] anchors = Read("ksh.anchors"), mean = Read("ksh.mean"), projection = Read("ksh.projection");
        var qk = AsReleased.Normalize(Read(name + ".qk"), HeadSize);
        return OfEachHead(name, (head, image) => AsReleased.Hash(
            Part(qk, image, Images(name) * Heads), Part(anchors, head, Heads), Part(mean, head, Heads), Part(projection, head, Heads)));
    }

    double[] Codes(string name, string part)
    {
        var x = AsReleased.Normalize(Read($"{name}.{part}"), HeadSize);
        return IsScaled(name) ? AsReleased.ScaledCodes(x) : AsReleased.CodesAboveMean(x);
    }

    static bool IsScaled(string name) => name.StartsWith("quant_v1", StringComparison.Ordinal);

    double[] Attend(string name, double[] codesQ, double[] codesK)
    {
        double[] v = Read(name + ".v"), filter = Read(name.Split('.')[0] + ".filter");
        var count = Images(name) * Heads;
        return OfEachHead(name, (head, part) => AsReleased.Attend(
            Part(codesQ, part, count), Part(codesK, part, count), Part(v, part, count), Part(filter, head, Heads), HeadSize));
    }

    /// <summary>[B,H,...] from what is computed of head h of an image, and of part b * H + h of the tensors of all images.</summary>
    double[] OfEachHead(string name, Func<int, int, double[]> compute) =>
        [.. Enumerable.Range(0, Images(name) * Heads).SelectMany(part => compute(part % Heads, part))];

    int Images(string name) => _golden.Tensors[name + ".v"].Shape[0];

    static ReadOnlySpan<double> Part(double[] values, int index, int count) =>
        values.AsSpan(index * (values.Length / count), values.Length / count);

    double[] Read(string name)
    {
        var values = Array.ConvertAll(_golden.ReadFloat32(name).Values.ToArray(), value => (double)value);
        if (!_golden.Tensors.ContainsKey(name + ".nan")) return values;
        var missing = _golden.ReadFloat32(name + ".nan").Values;
        for (var i = 0; i < values.Length; i++)
            if (missing[i] == 1) values[i] = double.NaN;
        return values;
    }

    static void AssertEqual(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Select(double.IsNaN), actual.Select(double.IsNaN));
        Assert.InRange(MaxDifference(expected, actual), 0, tolerance);
    }

    /// <summary>Of the elements that are numbers.</summary>
    static double MaxDifference(double[] a, double[] b)
    {
        Assert.Equal(a.Length, b.Length);
        return a.Zip(b, (x, y) => Math.Abs(x - y)).Where(difference => !double.IsNaN(difference)).DefaultIfEmpty(0).Max();
    }
}
