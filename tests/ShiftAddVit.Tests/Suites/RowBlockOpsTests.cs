using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Suites;

/// <summary>Blocks of rows have the bits of the operations row by row, in every width and in generated code.</summary>
public unsafe class RowBlockOpsTests
{
    /// <summary>More rows than any pass takes at a time, and every rest of them; whole groups of vectors of each width, and none.</summary>
    static readonly (int M, int K)[] Shapes =
    [
        (1, 64), (40, 192), (7, 768), (3, 8192), (33, 48), (5, 20), (40, 1), (2, 37), (5, 8192),
        .. Enumerable.Range(1, 20).Select(m => (m, 128)), .. Enumerable.Range(1, 20).Select(blocks => (9, blocks * 64)),
    ];

    /// <summary>Of rows that are normal numbers; whose squares overflow; whose largest magnitudes are negligible, or nearly.</summary>
    static readonly float[] Spreads = [1, 1e30f, 7e-31f, 1e-38f];

    public static TheoryData<KernelIsa> Widths => KernelRows.WidthsAndGenerated;

    [Theory, MemberData(nameof(Widths))]
    public void Quantising_a_block_quantises_its_rows(KernelIsa widest)
    {
        var (rows, blocks, _) = KernelRows.OperationsIn(widest);
        foreach (var ((m, k), spread) in Cases)
        {
            var x = Rows(m, k, spread);
            using var input = GuardedMemory.Of<float>(x);
            using var q = new GuardedMemory(m * k);
            using var scales = new GuardedMemory(m * sizeof(float));
            blocks.Quantize((float*)input.Pointer, m, k, q.Pointer, (float*)scales.Pointer);
            for (var row = 0; row < m; row++) AssertQuantized(rows, x[(row * k)..((row + 1) * k)], q.Bytes.Slice(row * k, k), scales.As<float>()[row]);
        }
    }

    /// <summary>The largest magnitude may be in any lane; the others hold no more than that.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void Known_maxima_change_no_bit(KernelIsa widest)
    {
        var (rows, blocks, _) = KernelRows.OperationsIn(widest);
        foreach (var ((m, k), spread) in Cases)
        {
            var x = Rows(m, k, spread);
            var lanes = new float[m * RowOps.MaximumLanes];
            for (var i = 0; i < x.Length; i++)
            {
                ref var lane = ref lanes[i / k * RowOps.MaximumLanes + i % RowOps.MaximumLanes];
                lane = MathF.Max(lane, MathF.Abs(x[i]));
            }
            using var input = GuardedMemory.Of<float>(x);
            using var maxima = GuardedMemory.Of<float>(lanes);
            using var q = new GuardedMemory(m * k);
            using var scales = new GuardedMemory(m * sizeof(float));
            blocks.Quantize((float*)input.Pointer, m, k, q.Pointer, (float*)scales.Pointer, (float*)maxima.Pointer);
            for (var row = 0; row < m; row++) AssertQuantized(rows, x[(row * k)..((row + 1) * k)], q.Bytes.Slice(row * k, k), scales.As<float>()[row]);
        }
    }

    [Theory, MemberData(nameof(Widths))]
    public void Norming_and_quantising_a_block_does_both_to_its_rows(KernelIsa widest)
    {
        var (rows, blocks, _) = KernelRows.OperationsIn(widest);
        foreach (var ((m, k), spread) in Cases)
        {
            var x = Rows(m, k, spread);
            using var input = GuardedMemory.Of<float>(x);
            using var gamma = GuardedMemory.Of<float>(KernelRows.RandomFloats(new(1), k));
            using var beta = GuardedMemory.Of<float>(KernelRows.RandomFloats(new(2), k));
            using var y = new GuardedMemory(m * k * sizeof(float));
            using var q = new GuardedMemory(m * k);
            using var scales = new GuardedMemory(m * sizeof(float));
            var norm = new NormOperands { Length = k, Gamma = (float*)gamma.Pointer, Beta = (float*)beta.Pointer, Epsilon = 1e-6f };
            blocks.LayerNormQuantize((float*)input.Pointer, m, norm, (float*)y.Pointer, q.Pointer, (float*)scales.Pointer);
            for (var row = 0; row < m; row++)
            {
                var expected = new float[k];
                fixed (float* source = x, target = expected) rows.LayerNorm(source + row * k, norm.Gamma, norm.Beta, norm.Epsilon, k, target);
                Assert.Equal(expected, y.As<float>().Slice(row * k, k));
                AssertQuantized(rows, expected, q.Bytes.Slice(row * k, k), scales.As<float>()[row]);
            }
        }
    }

    static IEnumerable<((int M, int K) Shape, float Spread)> Cases => Shapes.SelectMany(shape => Spreads.Select(spread => (shape, spread)));

    /// <summary>Rows of very different sizes, one of them all zeros.</summary>
    static float[] Rows(int m, int k, float spread)
    {
        var x = KernelRows.RandomFloats(new(m + k), m * k, spread);
        for (var i = 0; i < x.Length; i++) x[i] *= i / k % 5 * 10;
        return x;
    }

    static void AssertQuantized(RowOps rows, float[] x, ReadOnlySpan<byte> q, float scale)
    {
        var expected = new byte[x.Length];
        fixed (float* source = x)
        fixed (byte* target = expected) Assert.Equal(rows.Quantize(source, x.Length, target), scale);
        Assert.Equal(expected, q);
    }
}
