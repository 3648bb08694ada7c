using System.Collections.Immutable;
using Iced.Intel;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

/// <summary>Every kernel that the registry knows and this machine can run, those that it only emulates included.</summary>
static class KernelRows
{
    static readonly ImmutableArray<Kernel> Rows =
        [.. new KernelRegistry(KernelIsa.Avx512Vnni).Kernels.Select(WithTwin)];

    public static TheoryData<string> Integer => Names<IntegerKernel>();

    public static TheoryData<string> Float => Names<FloatKernel>();

    public static TheoryData<string> Distance => Names<DistanceKernel>();

    public static TheoryData<string> Bits => Names<BitKernel>();

    public static TheoryData<string> AddTokens => Names<AddTokensKernel>();

    public static TheoryData<string> AddCodes => Names<AddCodesKernel>();

    /// <summary>What row operations are written for.</summary>
    public static TheoryData<KernelIsa> Widths => [.. Enum.GetValues<KernelIsa>().Where(isa => isa.IsPortable)];

    /// <summary>The same, and the instructions that they are generated in where that is possible.</summary>
    public static TheoryData<KernelIsa> WidthsAndGenerated =>
        GeneratedRows.Under(KernelIsa.Avx512Vnni) is null ? Widths : [.. Widths.Select(row => row.Data), KernelIsa.Avx512Vnni];

    /// <summary>Row operations as a registry makes them, for a machine that has the instructions.</summary>
    public static (RowOps Rows, RowBlockOps Blocks, AttentionOps Attention) OperationsIn(KernelIsa isa)
    {
        var (widest, generated) = (isa.IsGenerated ? KernelIsa.Vector512 : isa, GeneratedRows.Under(isa));
        var rows = new RowOps(widest);
        return (rows, new(rows, generated), new(widest, generated));
    }

    static TheoryData<string> Names<T>() where T : Kernel =>
        [.. Rows.OfType<T>().Where(kernel => kernel.CanRun).Select(kernel => kernel.Name.ToString())];

    /// <summary>
    /// Where a machine has byte dot products, but not in the encoding without AVX-512, a kernel of that encoding is replaced by its twin: the
    /// same code but for the encoding of that one instruction.
    /// </summary>
    static Kernel WithTwin(Kernel kernel) => kernel switch
    {
        DotProductKernel { Name.Isa: KernelIsa.AvxVnni, CanRun: false } missing when CpuFeatures.Avx512Vnni =>
            new DotProductKernel(kernel.Name.Op, kernel.Name.B, Twin(missing.Tile)),
        SplitKernel split => new SplitKernel((IntegerKernel)WithTwin(split.Bytes)),
        ProductAddsKernel adds => new ProductAddsKernel((IntegerKernel)WithTwin(adds.Product), adds.Zero),
        _ => kernel,
    };

    /// <summary>The tile of a twin, named after the instructions that it runs on.</summary>
    public static DotProductTile Twin(DotProductTile tile) =>
        tile with { Isa = tile.Isa with { Name = KernelIsa.Avx512Vnni, DotProduct = Code.EVEX_Vpdpbusd_ymm_k1z_ymm_ymmm256b32 } };

    public static Kernel Find(string name) => Rows.Single(kernel => kernel.Name.ToString() == name);

    /// <summary>The scalar kernel of the same operation and formats.</summary>
    public static Kernel ReferenceOf(Kernel kernel) =>
        Rows.Single(other => other.Name is { Isa: KernelIsa.Reference, Op: var op, B: var weights }
            && (op, weights) == (kernel.Name.Op, kernel.Name.B));

    public static WeightFormat FormatOf(Kernel kernel) => Enum.Parse<WeightFormat>(kernel.Name.B.ToString());

    /// <summary>Random values that the format can hold, its extremes and zero among them.</summary>
    public static short[] RandomWeights(Random random, WeightFormat format, int count)
    {
        var magnitudes = Codebook.Of(format).Magnitudes;
        var values = new short[count];
        foreach (ref var value in values.AsSpan()) value = (short)(magnitudes[random.Next(magnitudes.Length)] * (random.Next(2) * 2 - 1));
        return values;
    }

    public static byte[] RandomActivations(Random random, int count)
    {
        var values = new byte[count];
        random.NextBytes(values);
        return values;
    }

    public static float[] RandomFloats(Random random, int count, float spread = 1)
    {
        var values = new float[count];
        foreach (ref var value in values.AsSpan()) value = (random.NextSingle() * 2 - 1) * spread;
        return values;
    }
}
