using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;

namespace ShiftAddVit.Tests.Suites;

/// <summary>Every operation in every width against its scalar definition, to the bit, each buffer ending at a guard page.</summary>
public unsafe class AttentionOpsTests
{
    const int Rows = 19, Gap = 3;

    public static TheoryData<KernelIsa> Widths => KernelRows.Widths;

    static readonly int[] HeadSizes = [1, 3, 4, 8, 12, 16, 24, 32, 48, 64, 80, 128];

    static float* Floats(GuardedMemory memory) => (float*)memory.Pointer;

    [Theory, MemberData(nameof(Widths))]
    public void Heads_are_quantised_as_rows_are(KernelIsa widest)
    {
        const int heads = 3;
        foreach (var d in HeadSizes)
            foreach (var spread in (ReadOnlySpan<float>)[0, 1e-3f, 1, 1e30f])
            {
                var (width, stride) = (heads * d, heads * d + Gap);
                var x = KernelRows.RandomFloats(new(d), (Rows - 1) * stride + width, spread);
                using var input = GuardedMemory.Of<float>(x);
                using var q = new GuardedMemory((Rows - 1) * stride + width);
                using var scales = new GuardedMemory(heads * Rows * sizeof(float));
                new AttentionOps(widest).QuantizeHeads(new()
                {
                    Rows = Rows, Heads = heads, HeadSize = d, X = Floats(input), XStride = stride, Q = q.Pointer, QStride = stride,
                    Scales = Floats(scales), ScaleStride = Rows,
                });
                for (var m = 0; m < Rows; m++)
                {
                    var (expected, expectedScales) = (new byte[width], new float[heads]);
                    AttentionReference.QuantizeHeads(x.AsSpan(m * stride, width), d, expected, expectedScales);
                    Assert.Equal(expected, q.Bytes.Slice(m * stride, width));
                    for (var h = 0; h < heads; h++) Assert.Equal(expectedScales[h], scales.As<float>()[h * Rows + m]);
                }
            }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Softmax_has_the_bits_of_the_reference_for_every_number_of_keys(KernelIsa widest)
    {
        var random = new Random(3);
        for (var n = 1; n <= 210; n++)
            foreach (var spread in (ReadOnlySpan<int>)[0, 1, 1000, 1_000_000, int.MaxValue]) AssertSoftmax(widest, random, n, spread);
    }

    static void AssertSoftmax(KernelIsa widest, Random random, int n, int spread)
    {
        var (stride, padded) = (n + Gap, AttentionOps.Padded(n));
        var acc = new int[(Rows - 1) * stride + n];
        foreach (ref var score in acc.AsSpan()) score = random.Next(-spread, spread);
        float[] sk = [.. KernelRows.RandomFloats(random, n).Select(value => Math.Abs(value) * 1e-3f + 1e-6f)];
        float[] steps = [.. KernelRows.RandomFloats(random, Rows).Select(value => Math.Abs(value) + 1e-3f)];
        using var scores = GuardedMemory.Of<int>(acc);
        using var keyScales = GuardedMemory.Of<float>(sk);
        using var factors = GuardedMemory.Of<float>(steps);
        using var p = new GuardedMemory(Rows * padded);
        new AttentionOps(widest).Softmax(new()
        {
            Rows = Rows, Keys = n, Scores = (int*)scores.Pointer, ScoreStride = stride, KeyScales = Floats(keyScales),
            Factors = Floats(factors), Probabilities = p.Pointer,
        });
        for (var m = 0; m < Rows; m++)
        {
            var expected = new byte[padded];
            var sum = AttentionReference.Softmax(acc.AsSpan(m * stride, n), sk, steps[m], expected.AsSpan(0, n));
            Assert.Equal(expected, p.Bytes.Slice(m * padded, padded));
            Assert.Equal(1f / sum, factors.As<float>()[m]);
            Assert.InRange(sum, 255, 255 * n);
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Values_are_quantised_with_one_scale_a_channel(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
            foreach (var n in (ReadOnlySpan<int>)[1, 5, 64])
            {
                var stride = d + Gap;
                var v = KernelRows.RandomFloats(new(n), (n - 1) * stride + d, 3);
                for (var j = 0; j < n; j++) v[j * stride] = 0;
                using var values = GuardedMemory.Of<float>(v);
                using var q = new GuardedMemory(n * d);
                using var scales = new GuardedMemory(d * sizeof(float));
                using var scratch = new GuardedMemory(d * sizeof(float));
                new AttentionOps(widest).QuantizeValues(Floats(values), stride, n, d, q.Pointer, Floats(scales), Floats(scratch));
                float[] rows = [.. Enumerable.Range(0, n).SelectMany(j => v.AsSpan(j * stride, d).ToArray())];
                var (expected, expectedScales) = (new sbyte[n * d], new float[d]);
                AttentionReference.QuantizeValues(rows, d, expected, expectedScales);
                Assert.Equal(expected.Select(value => (byte)(value + 128)), q.Bytes.ToArray());
                Assert.Equal(expectedScales, scales.As<float>());
            }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Sums_are_scaled_with_the_bits_of_the_reference(KernelIsa widest)
    {
        foreach (var d in HeadSizes)
        {
            var random = new Random(d);
            var (acc, shifts) = (new int[Rows * d], new int[d]);
            foreach (ref var value in acc.AsSpan()) value = random.Next(-1 << 24, 1 << 24);
            foreach (ref var value in shifts.AsSpan()) value = random.Next(-1 << 20, 1 << 20);
            var (weights, scales) = (KernelRows.RandomFloats(random, Rows), KernelRows.RandomFloats(random, d));
            using var sums = GuardedMemory.Of<int>(acc);
            using var offsets = GuardedMemory.Of<int>(shifts);
            using var factors = GuardedMemory.Of<float>(weights);
            using var valueScales = GuardedMemory.Of<float>(scales);
            using var y = new GuardedMemory(((Rows - 1) * (d + Gap) + d) * sizeof(float));
            new AttentionOps(widest).Combine(new()
            {
                Rows = Rows, HeadSize = d, Sums = (int*)sums.Pointer, Offsets = (int*)offsets.Pointer, Factors = Floats(factors),
                ValueScales = Floats(valueScales), Output = Floats(y), OutputStride = d + Gap,
            });
            var expected = new float[d];
            for (var m = 0; m < Rows; m++)
            {
                AttentionReference.Combine(acc.AsSpan(m * d, d), shifts, weights[m], scales, expected);
                Assert.Equal(expected, y.As<float>().Slice(m * (d + Gap), d));
            }
        }
    }

    /// <summary>A step is 1/40: the exponential moves by at most half of it, and is rounded to 1/255.</summary>
    [Fact]
    public void The_table_is_the_exponential_to_the_accuracy_it_says()
    {
        for (var x = 0f; x < 6.3f; x += 1 / 1024f)
        {
            var entry = ExponentialTable.Values[(int)MathF.Round(x * ExponentialTable.StepsPerUnit)] / 255.0;
            Assert.InRange(entry - Math.Exp(-x), -0.013 * Math.Exp(-x) - 0.5 / 255, 0.013 * Math.Exp(-x) + 0.5 / 255);
        }
        Assert.Equal(0, ExponentialTable.Values[255]);
    }
}
