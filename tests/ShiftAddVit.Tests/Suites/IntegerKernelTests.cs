using CsCheck;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

public class IntegerKernelTests
{
    public static TheoryData<string> Names => KernelRows.Integer;

    static IntegerKernel Find(string name) => (IntegerKernel)KernelRows.Find(name);

    static IEnumerable<int> Around(int size) =>
        new[] { 1, size - 1, size, size + 1, 2 * size - 1, 2 * size, 2 * size + 1 }.Where(n => n > 0).Distinct();

    [Theory, MemberData(nameof(Names))]
    public void Equals_the_reference_for_all_tails_around_its_tile(string name)
    {
        var kernel = Find(name);
        var reference = (IntegerKernel)KernelRows.ReferenceOf(kernel);
        var (mr, nr) = (kernel.Name.Mr, kernel.Name.Nr);
        var random = new Random(1);
        for (var k = 1; k <= 70; k++)
        {
            var all = IntegerCase.Random(random, kernel, 2 * mr + 1, 2 * nr + 1, k);
            var expected = all.Run(reference);
            foreach (var n in Around(nr))
            {
                using var weights = all.Corner(all.M, n).Pack(kernel);
                for (var m = 0; m <= all.M; m++) AssertCorner(expected, all.N, all.Corner(m, n).Run(kernel, weights), m, n, k);
            }
        }
    }

    static void AssertCorner(long[] expected, int stride, long[] actual, int m, int n, int k)
    {
        for (var row = 0; row < m; row++)
            if (!expected.AsSpan(row * stride, n).SequenceEqual(actual.AsSpan(row * n, n))) Assert.Fail($"row {row} of {m}x{k}x{n}");
    }

    [Theory, MemberData(nameof(Names))]
    public void Extreme_values_do_not_saturate(string name)
    {
        var kernel = Find(name);
        var max = (short)Codebook.Of(KernelRows.FormatOf(kernel)).Max;
        var (m, n, k) = (kernel.Name.Mr + 1, kernel.Name.Nr + 1, 65);
        foreach (var q in (ReadOnlySpan<byte>)[0, 128, 255])
            foreach (var w in (ReadOnlySpan<short>)[max, (short)-max, 0])
            {
                var actual = new IntegerCase(m, n, k, Filled(q, m * k), Filled(w, n * k)).Run(kernel);
                Assert.Equal(-1, actual.AsSpan().IndexOfAnyExcept(k * w * (q - 128L)));
            }
    }

    [Theory, MemberData(nameof(Names))]
    public void The_most_inputs_allowed_do_not_overflow(string name)
    {
        var kernel = Find(name);
        var max = (short)Codebook.Of(KernelRows.FormatOf(kernel)).Max;
        const int k = PackFormat.MaxInputs;
        var actual = new IntegerCase(1, 1, k, Filled<byte>(0, k), Filled(max, k)).Run(kernel);
        Assert.Equal(-128L * max * k, actual[0]);
    }

    [Theory, MemberData(nameof(Names))]
    public void More_inputs_are_refused_when_packed(string name)
    {
        var kernel = Find(name);
        var plane = WeightPlane.Encode(KernelRows.FormatOf(kernel), 1, PackFormat.MaxInputs + 1, new short[PackFormat.MaxInputs + 1]);
        Assert.Throws<ArgumentOutOfRangeException>(() => kernel.Packing.Pack(plane));
    }

    /// <summary>The judge of the judges: 64-bit arithmetic on decoded weights.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Is_the_sum_of_products_for_any_shape(string name)
    {
        var kernel = Find(name);
        Check.Sample(Gen.Select(Gen.Int[1, 20], Gen.Int[1, 70], Gen.Int[1, 300], Gen.Int), sample =>
        {
            var (m, n, k, seed) = sample;
            var it = IntegerCase.Random(new(seed), kernel, m, n, k);
            var actual = it.Run(kernel);
            for (var i = 0; i < actual.Length; i++) if (actual[i] != Product(it, i / n, i % n)) return false;
            return true;
        }, iter: 20);
    }

    static long Product(IntegerCase it, int m, int n)
    {
        var sum = 0L;
        for (var k = 0; k < it.K; k++) sum += it.Weights[n * it.K + k] * (it.Activations[m * it.K + k] - 128L);
        return sum;
    }

    static T[] Filled<T>(T value, int count)
    {
        var values = new T[count];
        Array.Fill(values, value);
        return values;
    }
}
