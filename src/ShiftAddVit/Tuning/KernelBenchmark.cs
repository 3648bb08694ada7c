using System.Collections.Immutable;
using System.Diagnostics;
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
    /// <summary>Calls that take less are timed several at once, so that the clock's own cost does not show.</summary>
    static readonly TimeSpan ShortestTimed = TimeSpan.FromMicroseconds(50);

    static readonly TimeSpan LongestWarmedUpTwice = TimeSpan.FromMilliseconds(50);

    const int MostRepeats = 1000;

    /// <summary>Times each trial for about the same while.</summary>
    /// <param name="trials">What to time.</param>
    /// <param name="each">How long each is called; at least one call is timed, after one that is not.</param>
    /// <param name="cancellation">Looked at before each call.</param>
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
        var clocks = trials.Select(trial => new Clock(trial, cancellation)).ToArray();
        foreach (var clock in clocks) clock.WarmUp();
        foreach (var clock in clocks) clock.Time();
        while (Array.Exists(clocks, clock => clock.Spent < each))
            foreach (var clock in clocks)
                if (clock.Spent < each) clock.Time();
        return [.. clocks.Select(clock => clock.Result())];
    }

    sealed class Clock(ITrial trial, CancellationToken cancellation)
    {
        readonly List<double> _times = [];
        int _repeats = 1;

        public TimeSpan Spent { get; private set; }

        public void WarmUp()
        {
            var once = Repeat();
            // The first call compiled what it needed; where that does not matter, once is enough.
            if (once < LongestWarmedUpTwice) once = Repeat();
            _repeats = (int)Math.Clamp(Math.Ceiling(ShortestTimed / once), 1, MostRepeats);
        }

        public void Time()
        {
            var time = Repeat();
            // A warm-up that was held up took too few repeats for what the clock can tell apart.
            for (; time < ShortestTimed / 2 && _repeats < MostRepeats; time = Repeat()) _repeats = int.Min(2 * _repeats, MostRepeats);
            Spent += time;
            _times.Add(time.TotalMilliseconds / _repeats);
        }

        public TrialTiming Result()
        {
            _times.Sort();
            // Trials may share their output: what another wrote there says nothing of this one.
            trial.Run();
            var median = (_times[(_times.Count - 1) / 2] + _times[_times.Count / 2]) / 2;
            return new(_times[0], median, _times.Count * _repeats, trial.IsCorrect());
        }

        TimeSpan Repeat()
        {
            cancellation.ThrowIfCancellationRequested();
            var started = Stopwatch.GetTimestamp();
            for (var i = 0; i < _repeats; i++) trial.Run();
            return Stopwatch.GetElapsedTime(started);
        }
    }
}
