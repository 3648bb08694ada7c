using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

/// <summary>Candidates whose times are made up: sample n of candidate c takes time(c, n).</summary>
sealed class FakeTimer(Func<int, int, double> time) : ICandidateTimer
{
    readonly Dictionary<int, int> _samples = [];

    public bool IsDisposed { get; private set; }

    /// <summary>How often a candidate was timed.</summary>
    public int Samples(int candidate) => _samples.GetValueOrDefault(candidate);

    public double Sample(int candidate)
    {
        var sample = Samples(candidate);
        _samples[candidate] = sample + 1;
        return time(candidate, sample);
    }

    public void Dispose() => IsDisposed = true;
}
