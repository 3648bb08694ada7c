namespace ShiftAddVit.Tuning;

/// <summary>The candidates of one choice, ready to be timed.</summary>
interface ICandidateTimer : IDisposable
{
    /// <summary>Times a candidate once: microseconds a call.</summary>
    double Sample(int candidate);
}
