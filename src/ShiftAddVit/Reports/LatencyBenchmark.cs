using System.Collections.Immutable;
using System.Diagnostics;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reports;

/// <summary>Times engines side by side, in short turns, so that whatever slows the machine for a while slows all of them.</summary>
public static class LatencyBenchmark
{
    const int MaxWarmUpRounds = 3;

    /// <summary>
    /// How long a turn is, unless one call takes longer: a few calls of a small model. Each is long enough for the engine to have what it needs in
    /// the caches, as in a program that uses one engine.
    /// </summary>
    static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(50);

    /// <summary>Between two engines: time for the threads of the one to stop spinning before the other is timed.</summary>
    static readonly TimeSpan Settling = TimeSpan.FromMicroseconds(2 * ThreadTeam.SpinMicroseconds);

    /// <summary>
    /// Times engines, which take turns in the order given. The first call of a turn, which finds the caches full of another engine's data, is
    /// not counted: it is where other engines were called in between that no program would call.
    /// </summary>
    /// <param name="engines">At least one.</param>
    /// <param name="duration">
    /// How long to go on; at least one round is timed. The warm-up before it, up to three rounds and at least one, begins no round after
    /// that time either.
    /// </param>
    /// <param name="cold">Whether a turn is one call instead, which counts: all engines then have the same number of calls.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    /// <returns>The times of each engine, in the same order.</returns>
    public static ImmutableArray<Latency> Run(
        IReadOnlyList<IBenchmarkEngine> engines, TimeSpan duration, bool cold = false, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engines);
        ArgumentOutOfRangeException.ThrowIfZero(engines.Count);
        TimeRounds(engines, duration, MaxWarmUpRounds, cold: true, cancellation);
        return [.. TimeRounds(engines, duration, int.MaxValue, cold || engines.Count == 1, cancellation).Select(Latency.Of)];
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
        IReadOnlyList<IBenchmarkEngine> engines, TimeSpan duration, int maxRounds, bool cold, CancellationToken cancellation)
    {
        List<double>[] times = [.. engines.Select(_ => new List<double>())];
        var (started, rounds) = (Stopwatch.GetTimestamp(), 0);
        do
        {
            for (var i = 0; i < times.Length; i++)
            {
                if (times.Length > 1) Settle();
                if (!cold) Time(engines[i], cancellation);
                var turn = Stopwatch.GetTimestamp();
                do times[i].Add(Time(engines[i], cancellation));
                while (!cold && Stopwatch.GetElapsedTime(turn) < Turn);
            }
        }
        while (++rounds < maxRounds && Stopwatch.GetElapsedTime(started) < duration);
        return times;
    }

    /// <summary>One call, in milliseconds.</summary>
    static double Time(IBenchmarkEngine engine, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var called = Stopwatch.GetTimestamp();
        engine.Run();
        return Stopwatch.GetElapsedTime(called).TotalMilliseconds;
    }

    /// <summary>Waits without sleeping: a processor that was let go comes back slower.</summary>
    static void Settle()
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < Settling) Thread.SpinWait(16);
    }
}
