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

    public static TheoryData<KernelIsa> WidthsAndGenerated => KernelRows.WidthsAndGenerated;

    /// <summary>Of scores: all alike; nearly; no two alike; further apart than the table is long, and than an integer holds.</summary>
    static readonly int[] Spreads = [0, 1, 1000, 1_000_000, int.MaxValue];

    [Theory, MemberData(nameof(WidthsAndGenerated))]
    public void Softmax_has_the_bits_of_the_reference_for_every_number_of_keys(KernelIsa widest)
    {
        var (random, ops) = (new Random(3), KernelRows.OperationsIn(widest).Attention);
        foreach (var n in (int[])[.. Enumerable.Range(1, 300), 1024, 1025])
            foreach (var spread in Spreads) AssertSoftmax(ops, random, Rows, n, spread);
    }

    [Theory, MemberData(nameof(WidthsAndGenerated))]
    public void Softmax_has_the_bits_of_the_reference_for_every_number_of_rows(KernelIsa widest)
    {
        var (random, ops) = (new Random(4), KernelRows.OperationsIn(widest).Attention);
        for (var m = 1; m <= 20; m++)
            foreach (var spread in Spreads) AssertSoftmax(ops, random, m, 67, spread);
    }

    static void AssertSoftmax(AttentionOps ops, Random random, int rows, int n, int spread)
    {
        var (stride, padded) = (n + Gap, AttentionOps.Padded(n));
        var acc = new int[(rows - 1) * stride + n];
        foreach (ref var score in acc.AsSpan()) score = random.Next(-spread, spread);
        float[] sk = [.. KernelRows.RandomFloats(random, n).Select(value => Math.Abs(value) * 1e-3f + 1e-6f)];
        float[] steps = [.. KernelRows.RandomFloats(random, rows).Select(value => Math.Abs(value) + 1e-3f)];
        using var scores = GuardedMemory.Of<int>(acc);
        using var keyScales = GuardedMemory.Of<float>(sk);
        using var factors = GuardedMemory.Of<float>(steps);
        using var p = new GuardedMemory(rows * padded);
        ops.Softmax(new()
        {
            Rows = rows, Keys = n, Scores = (int*)scores.Pointer, ScoreStride = stride, KeyScales = Floats(keyScales),
            Factors = Floats(factors), Probabilities = p.Pointer,
        });
        for (var m = 0; m < rows; m++)
        {
            var expected = new byte[padded];
            var sum = AttentionReference.Softmax(acc.AsSpan(m * stride, n), sk, steps[m], expected.AsSpan(0, n));
            Assert.Equal(expected, p.Bytes.Slice(m * padded, padded));
            Assert.Equal(1f / sum, factors.As<float>()[m]);
            Assert.InRange(sum, 255, 255 * n);
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
