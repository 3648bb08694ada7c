using BenchmarkDotNet.Attributes;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Benchmarks;

/// <summary>Every kernel that the registry does not refuse here, on the shapes on which the paper compares MatShift.</summary>
public class KernelBenchmarks
{
    KernelTrial? _trial;

    /// <summary>The rows of the registry for layers; its scalar references, which only define results, are left out.</summary>
    public static IEnumerable<KernelName> Kernels => KernelRegistry.Default.All
        .Where(info => info is { Verdict: not KernelVerdict.Refused, Name: { Isa: not KernelIsa.Reference, Op: not Operation.MatAdd } })
        .Select(info => info.Name);

    /// <summary>The shapes.</summary>
    public static IEnumerable<MatrixShape> Shapes => KernelComparison.PaperShapes;

    /// <summary>Which kernel.</summary>
    [ParamsSource(nameof(Kernels))]
    public KernelName Kernel { get; set; }

    /// <summary>Which shape.</summary>
    [ParamsSource(nameof(Shapes))]
    public MatrixShape Shape { get; set; }

    /// <summary>Makes operands and refuses a kernel that computes something else than its reference.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _trial = KernelTrial.Create(KernelRegistry.Default, Kernel, Shape);
        _trial.Run();
        if (!_trial.IsCorrect()) throw new InvalidOperationException($"{Kernel} is wrong on {Shape}");
    }

    /// <summary>Frees them.</summary>
    [GlobalCleanup]
    public void Free() => _trial?.Dispose();

    /// <summary>One call.</summary>
    [Benchmark]
    public void Run() => _trial!.Run();
}
