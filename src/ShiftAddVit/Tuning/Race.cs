using System.Diagnostics;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Times candidates in turns, so that what slows the machine for a while slows all of them, and takes the lower quartile of each, which
/// neither a disturbance nor a single lucky run moves.
/// </summary>
static class Race
{
    /// <summary>Rounds before slow candidates leave; as many are run in any case.</summary>
    const int Qualifying = 5;

    /// <summary>Rounds after which the quartiles no longer move.</summary>
    const int MaxRounds = 200;

    /// <summary>A candidate that takes so many times as long as the best is timed no further.</summary>
    const double Hopeless = 1.5;

    /// <summary>The same after two samples, the better of which counts: what is so slow would take long to time more often.</summary>
    const double HopelessAtOnce = 10;

    /// <summary>Microseconds a call of each candidate.</summary>
    /// <param name="timer">The candidates.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="duration">No round begins after that, beyond the qualifying ones.</param>
    /// <param name="cancellation">Looked at before each sample.</param>
    public static double[] Run(ICandidateTimer timer, int count, TimeSpan duration, CancellationToken cancellation)
    {
        var samples = Enumerable.Range(0, count).Select(_ => new List<double>()).ToArray();
        var racing = Enumerable.Range(0, count).ToList();
        var started = Stopwatch.GetTimestamp();
        for (var round = 0; round < Qualifying || (round < MaxRounds && Stopwatch.GetElapsedTime(started) < duration); round++)
        {
            foreach (var candidate in racing)
            {
                cancellation.ThrowIfCancellationRequested();
                samples[candidate].Add(timer.Sample(candidate));
            }
            if (round == 1) Drop(HopelessAtOnce, times => times.Min());
            else if (round == Qualifying - 1) Drop(Hopeless, LowerQuartile);
        }
        return [.. samples.Select(LowerQuartile)];

        void Drop(double hopeless, Func<List<double>, double> time)
        {
            var limit = hopeless * samples.Min(time);
            racing.RemoveAll(it => time(samples[it]) > limit);
        }
    }

    static double LowerQuartile(List<double> samples) => samples.Order().ElementAt(samples.Count / 4);
}
