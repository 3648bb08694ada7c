using System.Collections.Immutable;
using System.Globalization;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>The products of a head of attention with one-bit codes.</summary>
public enum HeadProduct
{
    /// <summary>K^T V: code bits by channels, the sums of the tokens whose key has the bit.</summary>
    KeysValues,

    /// <summary>Q(KV): tokens by channels, the sums of the rows of K^T V whose bit the query has.</summary>
    Queries,

    /// <summary>Q K^T: tokens by tokens, the dot products of codes +1 and -1.</summary>
    Scores,
}

/// <summary>The extents of attention with one-bit codes.</summary>
/// <param name="Heads">H.</param>
/// <param name="Tokens">N.</param>
/// <param name="HeadSize">D.</param>
/// <param name="Bits">I, code bits of a query or key.</param>
public readonly record struct HeadShape(int Heads, int Tokens, int HeadSize, int Bits)
{
    /// <summary>A product of one head as a matrix product.</summary>
    public MatrixShape Of(HeadProduct product) => product switch
    {
        HeadProduct.KeysValues => new(Bits, Tokens, HeadSize),
        HeadProduct.Queries => new(Tokens, Bits, HeadSize),
        _ => new(Tokens, Bits, Tokens),
    };

    /// <summary>In words.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"heads {Heads}, tokens {Tokens}, channels {HeadSize}, code bits {Bits}");
}

/// <summary>
/// Every kernel of a product of attention with one-bit codes beside the chosen multiplications of the same shape, S8 and fp32, in one run, on
/// one thread. A call is that of all heads, one after the other; times are of one head.
/// </summary>
/// <param name="Shape">The extents.</param>
/// <param name="Product">Which product.</param>
/// <param name="Peak">What the machine did at most in this run.</param>
/// <param name="Rows">One row a kernel, in the order of the registry.</param>
public sealed record HeadComparison(HeadShape Shape, HeadProduct Product, MachinePeak Peak, ImmutableArray<KernelComparisonRow> Rows)
{
    /// <summary>The most code bits.</summary>
    public const int MaxBits = AddTokensKernel.MaxBits;

    /// <summary>The shapes on which the paper's released code compares MatAdd, PVT's stages 1 to 3; then DeiT-Tiny's.</summary>
    public static ImmutableArray<HeadShape> PaperShapes { get; } =
        [new(1, 3136, 32, 16), new(2, 784, 32, 16), new(5, 196, 32, 16), new(3, 197, 64, 64)];

    /// <summary>Whether all timed kernels gave the bits of their reference.</summary>
    public bool AllCorrect => Rows.All(row => row.Timing is not { IsCorrect: false });

    /// <summary>Whether a shape can be compared: every extent at least 1, at most 64 code bits, operands of all heads not too large.</summary>
    public static bool Allows(HeadShape shape) =>
        shape is { Heads: >= 1, Bits: <= MaxBits }
        && Enum.GetValues<HeadProduct>().All(product => KernelComparison.Allows(shape.Of(product)))
        && (long)shape.Heads * shape.Tokens * Math.Max(shape.Tokens, shape.HeadSize) <= KernelComparison.MaxElements;

    /// <summary>Times all kernels of a product that may run.</summary>
    /// <param name="registry">The kernels.</param>
    /// <param name="shape">A shape that <see cref="Allows"/> allows.</param>
    /// <param name="product">The product.</param>
    /// <param name="each">How long each kernel is called.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    public static HeadComparison Run(
        KernelRegistry registry, HeadShape shape, HeadProduct product, TimeSpan each, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(registry);
        if (!Allows(shape)) throw new ArgumentOutOfRangeException(nameof(shape), shape, "too small or too large");
        var peak = MachinePeak.Measure();
        var rows = registry.All.Where(info => Computes(info.Name, product) || IsBaseline(info, product)).ToArray();
        var names = rows.Where(info => info.Verdict != KernelVerdict.Refused).Select(info => info.Name);
        TrialMemory[] memories = [.. Enumerable.Range(0, shape.Heads).Select(_ => new TrialMemory(shape.Of(product)))];
        HeadsTrial[] trials = [.. names.Select(name => new HeadsTrial(registry, name, shape.Of(product), memories))];
        try
        {
            var timings = KernelBenchmark.Run(trials, each, cancellation);
            peak = peak.OrHigher(MachinePeak.Measure());
            var times = trials.Zip(timings).ToDictionary(
                pair => pair.First.Kernel, pair => KernelComparison.Timing(pair.First.Kernel, shape.Of(product), pair.Second.Over(shape.Heads)));
            var float32 = times[registry.Float.Name].MinMs;
            return new(
                shape, product, peak, [.. rows.Select(info => KernelComparison.Row(info, times.GetValueOrDefault(info.Name), peak, float32))]);
        }
        finally
        {
            foreach (var owned in (IDisposable[])[.. trials, .. memories]) owned.Dispose();
        }
    }

    static bool Computes(KernelName kernel, HeadProduct product) => (product, kernel.Op, kernel.B) is
        (HeadProduct.KeysValues, Operation.MatAdd, NumberType.S8)
        or (HeadProduct.Queries, Operation.MatAdd, NumberType.I32)
        or (HeadProduct.Scores, Operation.MatMul, NumberType.B1);

    /// <summary>K^T V is no operand of bytes.</summary>
    static bool IsBaseline(KernelInfo info, HeadProduct product) => info is { Verdict: KernelVerdict.Chosen, Name.Op: Operation.MatMul }
        && (info.Name.B == NumberType.F32 || (info.Name.B == NumberType.S8 && product != HeadProduct.Queries));
}
