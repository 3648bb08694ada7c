namespace ShiftAddVit.Tuning;

/// <summary>Something that can be timed beside others of its kind.</summary>
interface ITrial : IDisposable
{
    /// <summary>Does it once, and nothing else.</summary>
    void Run();

    /// <summary>Whether it does what it should.</summary>
    bool IsCorrect();
}

/// <summary>What timing a trial gave.</summary>
/// <param name="MinMs">The fastest call, in milliseconds.</param>
/// <param name="MedianMs">The median call.</param>
/// <param name="Calls">How many calls were timed.</param>
/// <param name="IsCorrect">What the trial said afterwards.</param>
readonly record struct TrialTiming(double MinMs, double MedianMs, int Calls, bool IsCorrect)
{
    /// <summary>The same of one of several parts that a call consists of.</summary>
    public TrialTiming Over(int parts) => this with { MinMs = MinMs / parts, MedianMs = MedianMs / parts };
}
