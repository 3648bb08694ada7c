using System.Collections.Immutable;

namespace ShiftAddVit.Tuning;

/// <summary>The time of a candidate.</summary>
/// <param name="Name">A kernel, or the rows of a block.</param>
/// <param name="Microseconds">Lower quartile of interleaved calls; a time for the shape, not for the model.</param>
public readonly record struct CandidateTime(string Name, double Microseconds);

/// <summary>One choice and what it rests on.</summary>
/// <param name="Subject">What was chosen for: a shape, or a row chain.</param>
/// <param name="Static">What runs where nothing is tuned.</param>
/// <param name="Times">Every candidate, fastest first.</param>
public sealed record TuningDecision(string Subject, string Static, ImmutableArray<CandidateTime> Times)
{
    /// <summary>What a candidate must gain on the static choice, as a ratio: less is noise.</summary>
    internal const double Threshold = 1.02;

    /// <summary>The fastest, unless what runs anyway is as fast but for noise.</summary>
    public CandidateTime Pick => Gain(Times[0]) < Threshold ? TimeOf(Static) : Times[0];

    /// <summary>The fastest that was not picked; null where there was but one candidate.</summary>
    public CandidateTime? RunnerUp => Times.Where(time => time != Pick).Select(time => (CandidateTime?)time).FirstOrDefault();

    /// <summary>How much faster the pick is than the static choice: the ratio of their times, at least 1.</summary>
    public double GainOverStatic => Gain(Pick);

    /// <summary>The time of a candidate.</summary>
    public CandidateTime TimeOf(string name) => Times.First(time => time.Name == name);

    double Gain(CandidateTime candidate) => TimeOf(Static).Microseconds / candidate.Microseconds;
}

/// <summary>What tuning a model found.</summary>
/// <param name="Choices">The picks, for <see cref="TuningCache.Write"/>.</param>
/// <param name="Decisions">Each choice and what it rests on, in the order of the forward pass.</param>
public sealed record TuningResult(TunedChoices Choices, ImmutableArray<TuningDecision> Decisions);
