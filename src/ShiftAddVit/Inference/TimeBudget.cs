using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ShiftAddVit.Inference;

/// <summary>What a forward pass spends its time on.</summary>
public enum Work
{
    /// <summary>Validation, dispatch, copies.</summary>
    Other,

    /// <summary>Patches gathered from the image and quantised.</summary>
    Patches,

    /// <summary>The patch embedding's product and the positions.</summary>
    Embedding,

    /// <summary>Layer norms, and the rows they make quantised.</summary>
    Norm,

    /// <summary>The product that makes queries, keys and values.</summary>
    Qkv,

    /// <summary>The product that makes the biases of keys.</summary>
    KeyBias,

    /// <summary>Queries and keys quantised, or made codes of, that the product did not leave so.</summary>
    QuantizeHeads,

    /// <summary>Keys and values put in a kernel's order.</summary>
    PackHeads,

    /// <summary>Linear attention: values added up by the codes of keys.</summary>
    KeyValues,

    /// <summary>Linear attention: those sums added up by the codes of queries.</summary>
    QueryValues,

    /// <summary>Linear attention: scales, means, norms and convolutions.</summary>
    Combine,

    /// <summary>Queries times keys.</summary>
    Scores,

    /// <summary>Softmax.</summary>
    Softmax,

    /// <summary>Probabilities times values.</summary>
    Values,

    /// <summary>Rows quantised that no norm made.</summary>
    Quantize,

    /// <summary>The product that projects attention's output, and the residual.</summary>
    Projection,

    /// <summary>The first product of the MLP, and GELU.</summary>
    Fc1,

    /// <summary>The second product of the MLP, and the residual.</summary>
    Fc2,

    /// <summary>Experts chosen for rows.</summary>
    Router,

    /// <summary>Rows sorted by expert and brought together.</summary>
    Gather,

    /// <summary>The products of mixtures' experts, their results put where the rows came from, and what follows.</summary>
    Experts,

    /// <summary>The heads' products.</summary>
    Head,
}

/// <summary>One line of a time budget.</summary>
/// <param name="Work">On what.</param>
/// <param name="Milliseconds">How long, a call.</param>
public readonly record struct TimeSpent(Work Work, double Milliseconds);

/// <summary>What a call spends on mixtures, in milliseconds.</summary>
/// <param name="Call">The whole call.</param>
/// <param name="Dispatch">Routers, and rows brought together; results are put in their places by the products themselves.</param>
/// <param name="Experts">All experts, one after the other, as they run.</param>
/// <param name="SlowestExperts">Of each mixture the expert that took longest.</param>
public readonly record struct MixtureTime(double Call, double Dispatch, double Experts, double SlowestExperts)
{
    /// <summary>
    /// What the call would take if the experts of a mixture ran at the same time and rows found their way at no cost: what papers report.
    /// </summary>
    public double IdealParallel => Call - Dispatch - Experts + SlowestExperts;
}

/// <summary>
/// Measures what the calling thread spends its time on, while <see cref="Measure"/> runs. A reading of the clock takes some 20 ns, about a
/// thousand of them make a pass of DeiT-Tiny 0.5 % slower.
/// </summary>
public sealed class TimeBudget
{
    [ThreadStatic]
    static TimeBudget? active;

    readonly long[] _ticks = new long[Enum.GetValues<Work>().Length];
    readonly Dictionary<(string Mixture, int Expert), long> _expertTicks = [];
    Work _current;
    (string Mixture, int Expert)? _expert;
    long _since;

    TimeBudget() { }

    /// <summary>Runs something on this thread several times and says where the time of the fastest call went.</summary>
    /// <param name="call">For instance a session's run, on one thread.</param>
    /// <param name="calls">How many times.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    /// <returns>In the order of the forward pass; work that took no time is left out.</returns>
    public static ImmutableArray<TimeSpent> Measure(Action call, int calls, CancellationToken cancellation = default)
    {
        var fastest = Fastest(call, calls, cancellation);
        return
        [
            .. from work in Enum.GetValues<Work>()
               let ticks = fastest._ticks[(int)work]
               where ticks > 0
               select new TimeSpent(work, Milliseconds(ticks)),
        ];
    }

    /// <summary>As <see cref="Measure"/>, of a model's mixtures.</summary>
    /// <param name="call">For instance a session's run, on one thread.</param>
    /// <param name="calls">How many times; the fastest counts.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    public static MixtureTime MeasureMixtures(Action call, int calls, CancellationToken cancellation = default)
    {
        var fastest = Fastest(call, calls, cancellation);
        return new(
            Milliseconds(fastest._ticks.Sum()), Milliseconds(fastest._ticks[(int)Work.Router] + fastest._ticks[(int)Work.Gather]),
            Milliseconds(fastest._expertTicks.Values.Sum()),
            Milliseconds(fastest._expertTicks.GroupBy(expert => expert.Key.Mixture).Sum(mixture => mixture.Max(expert => expert.Value))));
    }

    /// <summary>From here on this thread does this work.</summary>
    internal static void Enter(Work work) => active?.Switch(work);

    /// <summary>What is done from here on this thread is done for one expert of a mixture.</summary>
    internal static void EnterExpert(string mixture, int expert) => active?.SwitchExpert((mixture, expert));

    /// <summary>And from here on for none.</summary>
    internal static void LeaveExperts() => active?.SwitchExpert(null);

    static TimeBudget Fastest(Action call, int calls, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentOutOfRangeException.ThrowIfLessThan(calls, 1);
        TimeBudget? fastest = null;
        for (var i = 0; i < calls; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var budget = MeasureOnce(call);
            if (fastest is null || budget._ticks.Sum() < fastest._ticks.Sum()) fastest = budget;
        }
        return fastest!;
    }

    static double Milliseconds(long ticks) => ticks * 1e3 / Stopwatch.Frequency;

    static TimeBudget MeasureOnce(Action call)
    {
        var budget = new TimeBudget { _since = Stopwatch.GetTimestamp() };
        active = budget;
        try
        {
            call();
            budget.Switch(Work.Other);
        }
        finally
        {
            active = null;
        }
        return budget;
    }

    void Switch(Work work)
    {
        var now = Stopwatch.GetTimestamp();
        _ticks[(int)_current] += now - _since;
        if (_expert is { } expert) CollectionsMarshal.GetValueRefOrAddDefault(_expertTicks, expert, out _) += now - _since;
        (_current, _since) = (work, now);
    }

    void SwitchExpert((string, int)? expert)
    {
        Switch(expert is null ? Work.Other : Work.Experts);
        _expert = expert;
    }
}
