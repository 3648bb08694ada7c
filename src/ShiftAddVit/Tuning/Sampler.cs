using System.Diagnostics;

namespace ShiftAddVit.Tuning;

/// <summary>Times something again and again, short calls several at once, after a call that makes its code.</summary>
/// <param name="run">Does it once, and nothing else.</param>
sealed class Sampler(Action run)
{
    /// <summary>Calls that take less are timed several at once, so that the clock's own cost does not show.</summary>
    static readonly TimeSpan ShortestTimed = TimeSpan.FromMicroseconds(50);

    /// <summary>After a first call that takes longer there is no second to find the number of repeats: it is one.</summary>
    static readonly TimeSpan LongestWarmedUpTwice = TimeSpan.FromMilliseconds(50);

    const int MostRepeats = 1000;

    /// <summary>Calls of a sample; 0 before the first.</summary>
    int _repeats;

    /// <summary>What all samples took together.</summary>
    public TimeSpan Spent { get; private set; }

    /// <summary>How many calls they were.</summary>
    public int Calls { get; private set; }

    /// <summary>Times it once: microseconds a call.</summary>
    public double Sample()
    {
        var time = _repeats == 0 ? WarmUp() : Repeat();
        // A warm-up that was held up took too few repeats for what the clock can tell apart.
        for (; time < ShortestTimed / 2 && _repeats < MostRepeats; time = Repeat()) _repeats = int.Min(2 * _repeats, MostRepeats);
        Spent += time;
        Calls += _repeats;
        return time.TotalMicroseconds / _repeats;
    }

    /// <summary>Finds the number of repeats; returns the first sample.</summary>
    TimeSpan WarmUp()
    {
        _repeats = 1;
        var once = Repeat();
        if (once < LongestWarmedUpTwice) once = Repeat();
        _repeats = (int)Math.Clamp(Math.Ceiling(ShortestTimed / once), 1, MostRepeats);
        return Repeat();
    }

    TimeSpan Repeat()
    {
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < _repeats; i++) run();
        return Stopwatch.GetElapsedTime(started);
    }
}
