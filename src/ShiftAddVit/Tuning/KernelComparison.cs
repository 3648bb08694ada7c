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

/// <summary>Every registered kernel on one shape, in one run, on one thread.</summary>
/// <param name="Shape">M, K and N.</param>
/// <param name="Peak">What the machine did at most in this run.</param>
/// <param name="Rows">One row a kernel, in the order of the registry.</param>
public sealed record KernelComparison(MatrixShape Shape, MachinePeak Peak, ImmutableArray<KernelComparisonRow> Rows)
{
    /// <summary>The most elements of an operand or of the result.</summary>
    public const long MaxElements = 1 << 26;

    /// <summary>The shapes on which the paper's released code compares MatShift: MLP layers of PVTv1 and PVTv2-B1, stages 1 and 2.</summary>
    public static ImmutableArray<MatrixShape> PaperShapes { get; } = [new(3136, 64, 512), new(3136, 512, 64), new(784, 128, 1024), new(784, 1024, 128)];

    /// <summary>Whether all timed kernels gave the bits of their reference.</summary>
    public bool AllCorrect => Rows.All(row => row.Timing is not { IsCorrect: false });

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
        var timings = Time([.. registry.All.Where(info => info.Verdict != KernelVerdict.Refused)], registry, shape, each, cancellation);
        peak = peak.OrHigher(MachinePeak.Measure());
        var float32 = timings[registry.Float.Name].MinMs;
        return new(shape, peak, [.. registry.All.Select(info => Row(info, timings.GetValueOrDefault(info.Name), peak, float32))]);
    }

    static Dictionary<KernelName, KernelTiming> Time(
        KernelInfo[] kernels, KernelRegistry registry, MatrixShape shape, TimeSpan each, CancellationToken cancellation)
    {
        var trials = new List<KernelTrial>();
        try
        {
            foreach (var kernel in kernels) trials.Add(KernelTrial.Create(registry, kernel.Name, shape));
            return KernelBenchmark.Run(trials, each, cancellation).ToDictionary(timing => timing.Kernel);
        }
        finally
        {
            foreach (var trial in trials) trial.Dispose();
        }
    }

    static KernelComparisonRow Row(KernelInfo info, KernelTiming? timing, MachinePeak peak, double float32) =>
        timing is null ? new(info, null, null, null) : new(info, timing, timing.GigaOperationsPerSecond / peak.Of(info.Name), float32 / timing.MinMs);
}
