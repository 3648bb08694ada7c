using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>Times of one kernel on one shape, on one thread.</summary>
/// <param name="Kernel">What was timed.</param>
/// <param name="Shape">M, K and N.</param>
/// <param name="MinMs">The fastest call, in milliseconds.</param>
/// <param name="MedianMs">The median call, in milliseconds.</param>
/// <param name="Calls">How many calls were timed.</param>
/// <param name="IsCorrect">Whether the result of these calls has the bits of the reference.</param>
public sealed record KernelTiming(KernelName Kernel, MatrixShape Shape, double MinMs, double MedianMs, int Calls, bool IsCorrect)
{
    /// <summary>Billions of multiply-adds a second, or of what stands for them, in the fastest call.</summary>
    public double GigaOperationsPerSecond => Shape.Operations / MinMs / 1e6;
}

/// <summary>
/// Times kernels side by side: random data, one timer, all candidates in turn so that a slow second of the machine falls on each of them, and
/// results compared with the reference afterwards.
/// </summary>
public static class KernelBenchmark
{
    /// <summary>Times each trial for about the same while.</summary>
    /// <param name="trials">What to time.</param>
    /// <param name="each">How long each is sampled; once in any case.</param>
    /// <param name="cancellation">Looked at before each sample.</param>
    /// <returns>One timing a trial, in their order.</returns>
    public static ImmutableArray<KernelTiming> Run(
        IReadOnlyList<KernelTrial> trials, TimeSpan each, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(trials);
        var timings = Run((IReadOnlyList<ITrial>)trials, each, cancellation);
        return
        [
            .. trials.Zip(timings, (trial, timing) =>
                new KernelTiming(trial.Kernel, trial.Shape, timing.MinMs, timing.MedianMs, timing.Calls, timing.IsCorrect)),
        ];
    }

    /// <summary>As above, of anything.</summary>
    internal static ImmutableArray<TrialTiming> Run(IReadOnlyList<ITrial> trials, TimeSpan each, CancellationToken cancellation)
    {
        var samplers = trials.Select(trial => new Sampler(trial.Run)).ToArray();
        var samples = trials.Select(_ => new List<double>()).ToArray();
        do
            for (var i = 0; i < samplers.Length; i++)
            {
                if (samples[i].Count > 0 && samplers[i].Spent >= each) continue;
                cancellation.ThrowIfCancellationRequested();
                samples[i].Add(samplers[i].Sample());
            }
        while (Array.Exists(samplers, sampler => sampler.Spent < each));
        return [.. trials.Select((trial, i) => Result(trial, [.. samples[i].Order()], samplers[i].Calls))];
    }

    static TrialTiming Result(ITrial trial, ImmutableArray<double> sorted, int calls)
    {
        // Trials may share their output: what another wrote there says nothing of this one.
        trial.Run();
        var median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        return new(sorted[0] / 1000, median / 1000, calls, trial.IsCorrect());
    }
}
