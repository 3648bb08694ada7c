using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;

namespace ShiftAddVit.Tuning;

/// <summary>One row of the registry on one shape.</summary>
/// <param name="Info">The kernel and what was decided about it.</param>
/// <param name="Timing">Its times; null for a refused kernel, whose reason says why.</param>
/// <param name="ShareOfPeak">Its rate as a share of <see cref="MachinePeak"/>; null where that says nothing about it.</param>
/// <param name="SpeedupOverFloat32">How many times it fits into the fp32 MatMul that is chosen for this shape.</param>
public sealed record KernelComparisonRow(KernelInfo Info, KernelTiming? Timing, double? ShareOfPeak, double? SpeedupOverFloat32);

/// <summary>A chosen kernel as a whole linear layer: scales, bias and what follows are part of its call.</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Epilogue">What becomes of its sums, e.g. <c>gelu</c>.</param>
/// <param name="Timing">Its times.</param>
/// <param name="ShareOfPeak">Its rate as a share of <see cref="MachinePeak"/>; null where that was not measured.</param>
public sealed record EpilogueComparisonRow(KernelName Kernel, string Epilogue, KernelTiming Timing, double? ShareOfPeak);

/// <summary>
/// Every registered kernel that multiplies by weights on one shape, in one run, on one thread. <see cref="HeadComparison"/> has the others.
/// </summary>
/// <param name="Shape">M, K and N.</param>
/// <param name="Peak">What the machine did at most in this run.</param>
/// <param name="Stores">
/// Billions of multiply-adds a second of a kernel that would do nothing but store its int32 outputs: with few inputs less than the peak.
/// </param>
/// <param name="Rows">One row a kernel, in the order of the registry.</param>
/// <param name="Epilogues">The chosen integer kernels with each epilogue that the shape allows.</param>
public sealed record KernelComparison(
    MatrixShape Shape, MachinePeak Peak, double Stores, ImmutableArray<KernelComparisonRow> Rows, ImmutableArray<EpilogueComparisonRow> Epilogues)
{
    static readonly (Epilogue Epilogue, string Name)[] AllEpilogues =
    [
        (Epilogue.Store, "scales and bias"), (Epilogue.AddResidual, "residual"), (Epilogue.TableGelu, "gelu"), (Epilogue.QuantizeHeads, "quantised heads"),
    ];

    /// <summary>The most elements of an operand or of the result.</summary>
    public const long MaxElements = 1 << 26;

    /// <summary>The shapes on which the paper's released code compares MatShift: MLP layers of PVTv1 and PVTv2-B1, stages 1 and 2.</summary>
    public static ImmutableArray<MatrixShape> PaperShapes { get; } = [new(3136, 64, 512), new(3136, 512, 64), new(784, 128, 1024), new(784, 1024, 128)];

    /// <summary>Whether all timed kernels gave the bits of their reference.</summary>
    public bool AllCorrect => Rows.All(row => row.Timing is not { IsCorrect: false }) && Epilogues.All(row => row.Timing.IsCorrect);

    /// <summary>Whether a shape can be compared: every extent at least 1, K no more than integer kernels take, operands not too large.</summary>
    public static bool Allows(MatrixShape shape) =>
        shape is { M: >= 1, N: >= 1, K: >= 1 and <= PackFormat.MaxInputs }
        && Math.Max((long)shape.M * shape.K, Math.Max((long)shape.N * shape.K, (long)shape.M * shape.N)) <= MaxElements;

    /// <summary>Times all kernels that may run.</summary>
    /// <param name="registry">The kernels.</param>
    /// <param name="shape">A shape that <see cref="Allows"/> allows.</param>
    /// <param name="each">How long each kernel is called.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    public static KernelComparison Run(KernelRegistry registry, MatrixShape shape, TimeSpan each, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(registry);
        if (!Allows(shape)) throw new ArgumentOutOfRangeException(nameof(shape), shape, "too small or too large");
        var peak = MachinePeak.Measure();
        using var memory = new TrialMemory(shape);
        var rows = registry.All.Where(info => info.Name.Op != Operation.MatAdd).ToArray();
        var names = rows.Where(info => info.Verdict != KernelVerdict.Refused).Select(info => info.Name);
        KernelTrial[] kernels = [.. names.Select(name => KernelTrial.Create(registry, name, shape, memory))];
        LinearTrial[] layers = [.. Layers(registry, shape, memory)];
        try
        {
            var timings = KernelBenchmark.Run([.. kernels, .. layers, new StoreTrial(memory.Output)], each, cancellation);
            peak = peak.OrHigher(MachinePeak.Measure());
            var times = kernels.Zip(timings).ToDictionary(pair => pair.First.Kernel, pair => Timing(pair.First.Kernel, shape, pair.Second));
            var float32 = times[registry.Float.Name].MinMs;
            return new(
                shape, peak, shape.Operations / timings[^1].MinMs / 1e6,
                [.. rows.Select(info => Row(info, times.GetValueOrDefault(info.Name), peak, float32))],
                [.. layers.Zip(timings.Skip(kernels.Length), (layer, timing) => Row(layer, Timing(layer.Kernel, shape, timing), peak))]);
        }
        finally
        {
            foreach (var trial in (ITrial[])[.. kernels, .. layers]) trial.Dispose();
        }
    }

    static IEnumerable<LinearTrial> Layers(KernelRegistry registry, MatrixShape shape, TrialMemory memory) =>
        from kernel in registry.Kernels.Where((_, i) => registry.All[i].Verdict == KernelVerdict.Chosen).OfType<IntegerKernel>()
        from epilogue in AllEpilogues
        where LinearTrial.Allows(shape, epilogue.Epilogue)
        select new LinearTrial(registry, kernel, shape, epilogue.Epilogue, memory);

    internal static KernelTiming Timing(KernelName kernel, MatrixShape shape, TrialTiming timing) =>
        new(kernel, shape, timing.MinMs, timing.MedianMs, timing.Calls, timing.IsCorrect);

    internal static KernelComparisonRow Row(KernelInfo info, KernelTiming? timing, MachinePeak peak, double float32) =>
        timing is null ? new(info, null, null, null) : new(info, timing, timing.GigaOperationsPerSecond / peak.Of(info.Name), float32 / timing.MinMs);

    static EpilogueComparisonRow Row(LinearTrial layer, KernelTiming timing, MachinePeak peak) => new(
        layer.Kernel, AllEpilogues.First(it => it.Epilogue == layer.Epilogue).Name, timing, timing.GigaOperationsPerSecond / peak.Of(layer.Kernel));
}
