using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;

namespace ShiftAddVit.Tests.Suites;

/// <summary>Rows are sent where the scalar definition sends them, with its gates to the bit.</summary>
public unsafe class RouterOpsTests
{
    /// <summary>Odd and even rows and experts; inputs around the steps of every width of vectors.</summary>
    static readonly (int M, int K, int E)[] Shapes =
    [
        (1, 1, 1), (2, 7, 2), (3, 8, 3), (5, 15, 2), (6, 16, 4), (7, 31, 2), (4, 32, 5), (9, 33, 2), (17, 64, 8), (99, 192, 2), (66, 192, 3), (5, 768, 2), (3, 803, 7),
    ];

    public static TheoryData<KernelIsa> Widths => KernelRows.Widths;

    [Theory, MemberData(nameof(Widths))]
    public void Rows_go_where_the_definition_sends_them(KernelIsa widest)
    {
        foreach (var shape in Shapes)
        {
            var random = new Random(shape.K);
            Check(widest, shape, KernelRows.RandomActivations(random, shape.M * shape.K), random, scale: 1e-3f);
        }
    }

    /// <summary>All rows to one expert, equals, and logits so far apart that the others' exponentials are clamped.</summary>
    [Theory, MemberData(nameof(Widths))]
    public void Extreme_logits_have_the_bits_of_the_definition(KernelIsa widest)
    {
        foreach (var shape in Shapes)
            foreach (var (level, scale) in new (byte, float)[] { (0, 1), (255, 1), (128, 1), (255, 1e20f), (255, 0) })
                Check(widest, shape, [.. Enumerable.Repeat(level, shape.M * shape.K)], new(2), scale);
    }

    static void Check(KernelIsa widest, (int M, int K, int E) shape, byte[] q, Random random, float scale)
    {
        var (m, k, experts) = shape;
        var weights = new sbyte[experts * k];
        foreach (ref var weight in weights.AsSpan()) weight = (sbyte)random.Next(-127, 128);
        var (sx, sw, bias) = (KernelRows.RandomFloats(random, m, scale), KernelRows.RandomFloats(random, experts), KernelRows.RandomFloats(random, experts));
        var (chosen, gates) = Route(widest, shape, q, sx, weights, sw, bias);
        for (var row = 0; row < m; row++)
            Assert.Equal(RouterReference.Route(q.AsSpan(row * k, k), sx[row], weights, sw, bias), (chosen[row], gates[row]));
    }

    static (int[] Chosen, float[] Gates) Route(
        KernelIsa widest, (int M, int K, int E) shape, byte[] q, float[] sx, sbyte[] weights, float[] sw, float[] bias)
    {
        var (m, k, experts) = shape;
        using var activations = GuardedMemory.Of<byte>(q);
        using var rowScales = GuardedMemory.Of<float>(sx);
        using var router = GuardedMemory.Of<sbyte>(weights);
        using var weightScales = GuardedMemory.Of<float>(sw);
        using var biases = GuardedMemory.Of<float>(bias);
        using var logits = new GuardedMemory((long)experts * m * sizeof(float));
        using var chosen = new GuardedMemory((long)m * sizeof(int));
        using var gates = new GuardedMemory((long)m * sizeof(float));
        new RouterOps(widest).Route(new()
        {
            M = m, K = k, Experts = experts, Activations = activations.Pointer, RowScales = (float*)rowScales.Pointer,
            Weights = (sbyte*)router.Pointer, WeightScales = (float*)weightScales.Pointer, Bias = (float*)biases.Pointer,
            Logits = (float*)logits.Pointer, Chosen = (int*)chosen.Pointer, Gates = (float*)gates.Pointer,
        });
        return (chosen.As<int>().ToArray(), gates.As<float>().ToArray());
    }
}
