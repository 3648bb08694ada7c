using System.Runtime.InteropServices;
using CsCheck;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Suites;

/// <summary>A layer has the bits of its definition: exact sums, then the row operations one by one.</summary>
public class LinearKernelTests
{
    /// <summary>All whose outputs are floats; heads have <see cref="HeadQuantizationTests"/>.</summary>
    static readonly Epilogue[] Epilogues = [.. Enum.GetValues<Epilogue>().Where(epilogue => epilogue is not (Epilogue.QuantizeHeads or Epilogue.Codes))];

    static readonly RowOps Rows = new KernelRegistry(KernelIsa.Avx512Vnni).Rows;

    public static TheoryData<string> Names => KernelRows.Integer;

    static IntegerKernel Find(string name) => (IntegerKernel)KernelRows.Find(name);

    static float[] Expected(IntegerKernel kernel, LinearCase layer, Epilogue epilogue) =>
        layer.Run((IntegerKernel)KernelRows.ReferenceOf(kernel), epilogue, Rows);

    /// <summary>Compares bits, so that -0 is not 0.</summary>
    static bool SameBits(ReadOnlySpan<float> left, ReadOnlySpan<float> right) =>
        MemoryMarshal.Cast<float, int>(left).SequenceEqual(MemoryMarshal.Cast<float, int>(right));

    [Theory, MemberData(nameof(Names))]
    public void Has_the_bits_of_the_definition_for_all_tails_around_its_tile(string name)
    {
        var kernel = Find(name);
        var (mr, nr) = (kernel.Name.Mr, kernel.Name.Nr);
        var random = new Random(2);
        // 231 inputs are 48 groups, a loop of two rounds of 4, one more and a rest of 3.
        foreach (var k in (ReadOnlySpan<int>)[1, 4, 35, 66, 231])
        {
            var all = LinearCase.Random(random, kernel, 2 * mr + 1, nr + 17, k);
            foreach (var epilogue in Epilogues)
            {
                var expected = Expected(kernel, all, epilogue);
                for (var n = 1; n <= nr + 17; n += n < nr - 18 ? 11 : 1)
                {
                    using var weights = all.Corner(1, n).Product.Pack(kernel);
                    foreach (var m in (ReadOnlySpan<int>)[0, 1, mr - 1, mr, mr + 1, 2 * mr - 2, 2 * mr + 1])
                        AssertCorner(expected, nr + 17, all.Corner(m, n).Run(kernel, epilogue, Rows, weights), m, n, $"{epilogue} {m}x{k}x{n}");
                }
            }
        }
    }

    static void AssertCorner(float[] expected, int stride, float[] actual, int m, int n, string what)
    {
        for (var row = 0; row < m; row++)
            if (!SameBits(expected.AsSpan(row * stride, n), actual.AsSpan(row * n, n))) Assert.Fail($"row {row} of {what}");
    }

    /// <summary>Maxima of rows are gathered panel by panel, tiles above each other, and are those of all of a row in the end.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Has_the_bits_of_the_definition_across_panels(string name)
    {
        const int m = 13;
        var kernel = Find(name);
        foreach (var k in (ReadOnlySpan<int>)[35, 192])
        {
            var layer = LinearCase.Random(new(5), kernel, m, 3 * kernel.Name.Nr, k);
            foreach (var epilogue in Epilogues)
                AssertCorner(Expected(kernel, layer, epilogue), 3 * kernel.Name.Nr, layer.Run(kernel, epilogue, Rows), m, 3 * kernel.Name.Nr, $"{epilogue} {k}");
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Has_the_bits_of_the_definition_for_any_shape(string name)
    {
        var kernel = Find(name);
        Check.Sample(Gen.Select(Gen.Int[1, 30], Gen.Int[1, 200], Gen.Int[1, 400], Gen.Int), sample =>
        {
            var (m, n, k, seed) = sample;
            var layer = LinearCase.Random(new(seed), kernel, m, n, k);
            return Epilogues.All(epilogue => SameBits(Expected(kernel, layer, epilogue), layer.Run(kernel, epilogue, Rows)));
        }, iter: 20);
    }

    /// <summary>Row m, times its gate, goes to row Targets[m], and so do the largest magnitudes of rows.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Rows_that_are_sent_elsewhere_have_the_bits_of_the_definition(string name)
    {
        var kernel = Find(name);
        var random = new Random(6);
        foreach (var (m, n, k) in new[] { (1, 1, 4), (7, kernel.Name.Nr + 3, 35), (25, 2 * kernel.Name.Nr, 192), (13, 64, 768) })
            foreach (var epilogue in Epilogues)
            {
                var layer = LinearCase.Random(random, kernel, m, n, k).Scattered(random);
                var actual = layer.Run(kernel, epilogue, Rows);
                Assert.True(SameBits(Expected(kernel, layer, epilogue), actual), $"{epilogue} {m}x{k}x{n}");
                if (epilogue == Epilogue.Store) AssertSent(layer, kernel, actual, n);
            }
    }

    static void AssertSent(LinearCase layer, IntegerKernel kernel, float[] actual, int n)
    {
        var inPlace = (layer with { Targets = [], Gates = [] }).Run(kernel, Epilogue.Store, Rows);
        for (var row = 0; row < layer.Targets.Length; row++)
            Assert.Equal(inPlace.Skip(row * n).Take(n).Select(y => y * layer.Gates[row]), actual.Skip(layer.Targets[row] * n).Take(n));
    }

    [Theory, MemberData(nameof(Names))]
    public void Offsets_are_taken_off_the_sums(string name)
    {
        var kernel = Find(name);
        var (random, n) = (new Random(4), kernel.Name.Nr + 3);
        var layer = LinearCase.Random(random, kernel, 7, n, 35) with
        {
            Bias = new float[n], Offsets = [.. Enumerable.Range(0, n).Select(_ => random.Next(-1 << 20, 1 << 20))],
        };
        var sums = layer.Product.Run(kernel);
        var expected = new float[sums.Length];
        for (var i = 0; i < sums.Length; i++)
            expected[i] = (float)(sums[i] - layer.Offsets[i % n]) * (layer.RowScales[i / n] * layer.ColumnScales[i % n]);
        Assert.Equal(expected, layer.Run(kernel, Epilogue.Store, Rows));
    }

    /// <summary>Every line of the table and beyond its ends, zeros of both signs, and what overflows when squared.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Outputs_of_every_magnitude_have_the_bits_of_the_definition(string name)
    {
        var kernel = Find(name);
        var bias = new float[kernel.Name.Nr + 3];
        for (var scale = 1e-20f; scale < 1e20f; scale *= 10)
        {
            for (var n = 0; n < bias.Length; n++) bias[n] = (n - bias.Length / 2) * scale;
            var layer = LinearCase.Random(new(3), kernel, 2, bias.Length, 8) with { Bias = bias, RowScales = [0, -0f] };
            foreach (var epilogue in Epilogues) Assert.True(SameBits(Expected(kernel, layer, epilogue), layer.Run(kernel, epilogue, Rows)));
        }
    }
}
