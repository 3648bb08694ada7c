using CsCheck;
using ShiftAddVit.Packing;

namespace ShiftAddVit.Tests.Suites;

public class DistanceKernelTests
{
    public static TheoryData<string> Names => KernelRows.Distance;

    [Theory, MemberData(nameof(Names))]
    public void Equals_the_reference_for_all_tails_around_its_tile(string name)
    {
        var kernel = KernelRows.Find(name);
        var (mr, nr) = (kernel.Name.Mr, kernel.Name.Nr);
        var random = new Random(1);
        for (var k = 1; k <= 70; k++)
        {
            var all = IntegerCase.Random(random, kernel, 2 * mr + 1, 2 * nr + 1, k);
            var expected = all.Run(KernelRows.ReferenceOf(kernel));
            for (var n = 1; n <= all.N; n += n < nr - 2 ? 7 : 1)
            {
                using var weights = all.Corner(all.M, n).Pack(kernel);
                foreach (var m in new[] { 0, 1, mr - 1, mr, mr + 1, all.M })
                {
                    var actual = all.Corner(m, n).Run(kernel, weights);
                    for (var row = 0; row < m; row++)
                        if (!expected.AsSpan(row * all.N, n).SequenceEqual(actual.AsSpan(row * n, n))) Assert.Fail($"row {row} of {m}x{k}x{n}");
                }
            }
        }
    }

    /// <summary>The judge of the judges: 64-bit arithmetic on decoded weights.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Is_minus_the_sum_of_absolute_differences_for_any_shape(string name)
    {
        var kernel = KernelRows.Find(name);
        Check.Sample(Gen.Select(Gen.Int[1, 20], Gen.Int[1, 70], Gen.Int[1, 300], Gen.Int), sample =>
        {
            var (m, n, k, seed) = sample;
            var it = IntegerCase.Random(new(seed), kernel, m, n, k);
            var actual = it.Run(kernel);
            for (var i = 0; i < actual.Length; i++) if (actual[i] != Distance(it, i / n, i % n)) return false;
            return true;
        }, iter: 20);
    }

    static long Distance(IntegerCase it, int m, int n)
    {
        var sum = 0L;
        for (var k = 0; k < it.K; k++) sum -= Math.Abs(it.Activations[m * it.K + k] - 128L - it.Weights[n * it.K + k]);
        return sum;
    }

    [Theory, MemberData(nameof(Names))]
    public void The_most_inputs_allowed_do_not_overflow(string name)
    {
        const int k = PackFormat.MaxInputs;
        var (activations, weights) = (new byte[k], new short[k]);
        Array.Fill(weights, (short)127);
        Assert.Equal(-255L * k, new IntegerCase(1, 1, k, activations, weights).Run(KernelRows.Find(name))[0]);
    }
}
