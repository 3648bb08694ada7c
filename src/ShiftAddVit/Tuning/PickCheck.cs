using System.Globalization;

namespace ShiftAddVit.Tuning;

/// <summary>How the kernel that runs a shape compares with the fastest.</summary>
/// <param name="Decision">The times; what runs is its <see cref="TuningDecision.Static"/>.</param>
/// <param name="AllowedPercent">How much slower it may be.</param>
public sealed record PickCheck(TuningDecision Decision, double AllowedPercent)
{
    /// <summary>How much slower than the fastest it is, in percent.</summary>
    public double SlowerPercent => 100 * (Decision.TimeOf(Decision.Static).Microseconds / Decision.Times[0].Microseconds - 1);

    /// <summary>Whether that is more than allowed.</summary>
    public bool IsTooSlow => SlowerPercent > AllowedPercent;

    /// <summary>One line: shape, what runs, the fastest, percent.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Decision.Subject}: {Decision.Static} is {SlowerPercent:0.0} % slower than {Decision.Times[0].Name}; allowed: {AllowedPercent} %");
}
