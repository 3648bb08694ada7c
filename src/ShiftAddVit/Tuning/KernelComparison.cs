using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>One row of the registry on one shape.</summary>
/// <param name="Info">The kernel and what was decided about it; chosen is what runs a layer of the shape, tuned or not.</param>
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
    /// <param name="tuned">Which of them run where; the registry's ranking says the rest.</param>
    /// <param name="shape">A shape that <see cref="Allows"/> allows.</param>
    /// <param name="each">How long each kernel is called.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    public static KernelComparison Run(
        KernelRegistry registry, TunedChoices tuned, MatrixShape shape, TimeSpan each, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(registry);
        ArgumentNullException.ThrowIfNull(tuned);
        if (!Allows(shape)) throw new ArgumentOutOfRangeException(nameof(shape), shape, "too small or too large");
        var peak = MachinePeak.Measure();
        using var memory = new TrialMemory(shape);
        var rows = registry.All.Where(info => info.Name.Op != Operation.MatAdd).ToArray();
        var names = rows.Where(info => info.Verdict != KernelVerdict.Refused).Select(info => info.Name);
        var linear = Enum.GetValues<WeightFormat>().SelectMany(weights => tuned.Layers(weights, shape));
        Kernel[] picks = [.. linear.Select(layer => tuned.Kernel(registry, layer)).Distinct()];
        var (kernels, layers) = (new List<KernelTrial>(), new List<LinearTrial>());
        try
        {
            foreach (var name in names) kernels.Add(KernelTrial.Create(registry, name, shape, memory));
            foreach (var layer in Layers(registry, picks, shape, memory)) layers.Add(layer);
            var timings = KernelBenchmark.Run([.. kernels, .. layers, new StoreTrial(memory.Output)], each, cancellation);
            peak = peak.OrHigher(MachinePeak.Measure());
            var times = kernels.Zip(timings).ToDictionary(pair => pair.First.Kernel, pair => Timing(pair.First.Kernel, shape, pair.Second));
            var float32 = times[picks.OfType<FloatKernel>().Single().Name].MinMs;
            return new(
                shape, peak, shape.Operations / timings[^1].MinMs / 1e6,
                [.. rows.Select(info => Row(Decide(info, picks), times.GetValueOrDefault(info.Name), peak, float32))],
                [.. layers.Zip(timings.Skip(kernels.Count), (layer, timing) => Row(layer, Timing(layer.Kernel, shape, timing), peak))]);
        }
        finally
        {
            foreach (var trial in (ITrial[])[.. kernels, .. layers]) trial.Dispose();
        }
    }

    /// <summary>What the registry decided, but for layers whose kernel is tuned.</summary>
    static KernelInfo Decide(KernelInfo info, Kernel[] picks)
    {
        if (Array.Exists(picks, pick => pick.Name == info.Name))
            return info.Verdict == KernelVerdict.Chosen ? info : info with { Verdict = KernelVerdict.Chosen, Reason = "tuned for this shape" };
        return info.Verdict == KernelVerdict.Chosen && Array.Exists(picks, pick => (pick.Name.Op, pick.Name.B) == (info.Name.Op, info.Name.B))
            ? info with { Verdict = KernelVerdict.Usable, Reason = "another is tuned for this shape" } : info;
    }

    static IEnumerable<LinearTrial> Layers(KernelRegistry registry, Kernel[] picks, MatrixShape shape, TrialMemory memory) =>
        from kernel in picks.OfType<IntegerKernel>()
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
