using System.Collections.Immutable;
using System.Diagnostics;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reports;

/// <summary>Times engines side by side, call by call in turns, so that whatever slows the machine for a while slows all of them.</summary>
public static class LatencyBenchmark
{
    const int MaxWarmUpRounds = 3;

    /// <summary>Between two engines: time for the threads of the one to stop spinning before the other is timed.</summary>
    static readonly TimeSpan Settling = TimeSpan.FromMicroseconds(2 * ThreadTeam.SpinMicroseconds);

    /// <summary>Times engines; one round is a call of each, in the order given.</summary>
    /// <param name="engines">At least one.</param>
    /// <param name="duration">
    /// How long to go on; at least one round is timed. The warm-up before it, up to three rounds and at least one, begins no round after
    /// that time either.
    /// </param>
    /// <param name="cancellation">Looked at before each call.</param>
    /// <returns>The times of each engine, in the same order; all have the same number of calls.</returns>
    public static ImmutableArray<Latency> Run(
        IReadOnlyList<IBenchmarkEngine> engines, TimeSpan duration, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engines);
        ArgumentOutOfRangeException.ThrowIfZero(engines.Count);
        TimeRounds(engines, duration, MaxWarmUpRounds, cancellation);
        return [.. TimeRounds(engines, duration, int.MaxValue, cancellation).Select(Latency.Of)];
    }

    /// <summary>What engines are timed on: uniform values in -2..2, about what normalised images hold; the same ones every time.</summary>
    /// <param name="architecture">The model's.</param>
    /// <param name="batch">B, how many images.</param>
    /// <returns>[B,3,S,S].</returns>
    public static float[] RandomImages(VitArchitecture architecture, int batch)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var random = new Random(1);
        var images = new float[batch * VitArchitecture.Channels * architecture.ImageSize * architecture.ImageSize];
        for (var i = 0; i < images.Length; i++) images[i] = random.NextSingle() * 4 - 2;
        return images;
    }

    /// <summary>Goes round until the time or the rounds are used up, at least once; the time of each engine's calls, in milliseconds.</summary>
    static List<double>[] TimeRounds(
        IReadOnlyList<IBenchmarkEngine> engines, TimeSpan duration, int maxRounds, CancellationToken cancellation)
    {
        List<double>[] times = [.. engines.Select(_ => new List<double>())];
        var started = Stopwatch.GetTimestamp();
        do
        {
            for (var i = 0; i < times.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (times.Length > 1) Settle();
                var called = Stopwatch.GetTimestamp();
                engines[i].Run();
                times[i].Add(Stopwatch.GetElapsedTime(called).TotalMilliseconds);
            }
        }
        while (times[0].Count < maxRounds && Stopwatch.GetElapsedTime(started) < duration);
        return times;
    }

    /// <summary>Waits without sleeping: a processor that was let go comes back slower.</summary>
    static void Settle()
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < Settling) Thread.SpinWait(16);
    }
}
