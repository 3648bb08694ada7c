using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

public unsafe class FloatKernelTests
{
    const int ActivationGap = 3, OutputGap = 5;

    public static TheoryData<string> Names => KernelRows.Float;

    static FloatKernel Find(string name) => (FloatKernel)KernelRows.Find(name);

    /// <summary>c [M,N] of the first M rows of a [.,K] and the first N of b [.,K]; all operands end at a guard page.</summary>
    static float[] Run(FloatKernel kernel, int m, int n, int k, ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        using var packed = Pack(kernel, n, k, b[..(n * k)]);
        using var weights = GuardedMemory.Of<byte>(packed.AsSpan<byte>());
        using var activations = new GuardedMemory(m == 0 ? 0 : ((m - 1L) * (k + ActivationGap) + k) * sizeof(float));
        using var output = new GuardedMemory(m == 0 ? 0 : ((m - 1L) * (n + OutputGap) + n) * sizeof(float));
        using var scratch = new GuardedMemory(kernel.ScratchBytes(k));
        for (var row = 0; row < m; row++) a.Slice(row * k, k).CopyTo(activations.As<float>()[(row * (k + ActivationGap))..]);
        kernel.Run(new()
        {
            M = m,
            N = n,
            K = k,
            Activations = (float*)activations.Pointer,
            ActivationStride = k + ActivationGap,
            Weights = (float*)weights.Pointer,
            Output = (float*)output.Pointer,
            OutputStride = n + OutputGap,
            Scratch = scratch.Pointer,
        });
        return Collect(output.As<float>(), m, n);
    }

    static AlignedBuffer Pack(FloatKernel kernel, int n, int k, ReadOnlySpan<float> b)
    {
        if (kernel.Packing.Element == WeightFormat.F32) return kernel.Packing.Pack(n, k, b);
        var values = new short[b.Length];
        for (var i = 0; i < values.Length; i++) values[i] = (short)b[i];
        return kernel.Packing.Pack(WeightPlane.Encode(KernelRows.FormatOf(kernel), n, k, values));
    }

    /// <summary>Weights [N,K] of the kernel's format, as floats.</summary>
    static float[] RandomWeights(Random random, FloatKernel kernel, int count) => kernel.Packing.Element == WeightFormat.F32
        ? KernelRows.RandomFloats(random, count)
        : [.. KernelRows.RandomWeights(random, KernelRows.FormatOf(kernel), count).Select(value => (float)value)];

    static float[] Collect(ReadOnlySpan<float> output, int m, int n)
    {
        var result = new float[m * n];
        for (var row = 0; row < m; row++)
        {
            var line = output[(row * (n + OutputGap))..];
            line[..n].CopyTo(result.AsSpan(row * n));
            if (row < m - 1) Assert.Equal(-1, line.Slice(n, OutputGap).IndexOfAnyExcept(BitConverter.UInt32BitsToSingle(0xA5A5A5A5)));
        }
        return result;
    }

    [Theory, MemberData(nameof(Names))]
    public void Has_the_bits_of_the_reference_for_all_tails_around_its_tile(string name)
    {
        var kernel = Find(name);
        var reference = (FloatKernel)KernelRows.ReferenceOf(kernel);
        var (rows, outputs) = (2 * kernel.Name.Mr + 1, 2 * kernel.Name.Nr + 1);
        var random = new Random(2);
        for (var k = 1; k <= 70; k++)
        {
            var (a, b) = (KernelRows.RandomFloats(random, rows * k), RandomWeights(random, kernel, outputs * k));
            var expected = Run(reference, rows, outputs, k, a, b);
            foreach (var n in new[] { 1, kernel.Name.Nr - 1, kernel.Name.Nr, kernel.Name.Nr + 1, outputs }.Where(n => n > 0).Distinct())
                for (var m = 0; m <= rows; m++)
                {
                    var actual = Run(kernel, m, n, k, a, b);
                    for (var row = 0; row < m; row++)
                        if (!expected.AsSpan(row * outputs, n).SequenceEqual(actual.AsSpan(row * n, n)))
                            Assert.Fail($"row {row} of {m}x{k}x{n}");
                }
        }
    }

    /// <summary>
    /// The forward error of a sum of K products in any order is at most K u / (1 - K u) SUM |a b| with u = 2^-24 (Higham, Accuracy and
    /// Stability of Numerical Algorithms, section 3.1).
    /// </summary>
    [Theory, MemberData(nameof(Names))]
    public void Stays_within_the_error_bound_of_a_float_sum(string name)
    {
        var kernel = Find(name);
        const int m = 7, n = 33, k = 768;
        const double bound = k * 5.960464e-8 / (1 - k * 5.960464e-8);
        var random = new Random(3);
        var (a, b) = (KernelRows.RandomFloats(random, m * k), RandomWeights(random, kernel, n * k));
        var actual = Run(kernel, m, n, k, a, b);
        for (var i = 0; i < actual.Length; i++)
        {
            double sum = 0, magnitude = 0;
            for (var j = 0; j < k; j++)
            {
                var product = (double)a[i / n * k + j] * b[i % n * k + j];
                (sum, magnitude) = (sum + product, magnitude + Math.Abs(product));
            }
            Assert.InRange(actual[i] - sum, -bound * magnitude, bound * magnitude);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Permuted_rows_give_permuted_results(string name)
    {
        var kernel = Find(name);
        const int m = 19, n = 37, k = 48;
        var random = new Random(4);
        var (a, b) = (KernelRows.RandomFloats(random, m * k), RandomWeights(random, kernel, n * k));
        var order = Enumerable.Range(0, m).ToArray();
        random.Shuffle(order);
        var permuted = order.SelectMany(row => a[(row * k)..((row + 1) * k)]).ToArray();
        var (plain, moved) = (Run(kernel, m, n, k, a, b), Run(kernel, m, n, k, permuted, b));
        for (var i = 0; i < m; i++) Assert.Equal(plain.AsSpan(order[i] * n, n), moved.AsSpan(i * n, n));
    }
}
