using System.Collections.Immutable;
using System.Diagnostics;

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

    /// <summary>The heads' products.</summary>
    Head,
}

/// <summary>One line of a time budget.</summary>
/// <param name="Work">On what.</param>
/// <param name="Milliseconds">How long, a call.</param>
public readonly record struct TimeSpent(Work Work, double Milliseconds);

/// <summary>
/// Measures what the calling thread spends its time on, while <see cref="Measure"/> runs. A reading of the clock takes some 20 ns, about a
/// thousand of them make a pass of DeiT-Tiny 0.5 % slower.
/// </summary>
public sealed class TimeBudget
{
    [ThreadStatic]
    static TimeBudget? active;

    readonly long[] _ticks = new long[Enum.GetValues<Work>().Length];
    Work _current;
    long _since;

    TimeBudget() { }

    /// <summary>Runs something on this thread several times and says where the time of the fastest call went.</summary>
    /// <param name="call">For instance a session's run, on one thread.</param>
    /// <param name="calls">How many times.</param>
    /// <param name="cancellation">Looked at before each call.</param>
    /// <returns>In the order of the forward pass; work that took no time is left out.</returns>
    public static ImmutableArray<TimeSpent> Measure(Action call, int calls, CancellationToken cancellation = default)
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
        return
        [
            .. from work in Enum.GetValues<Work>()
               let ticks = fastest!._ticks[(int)work]
               where ticks > 0
               select new TimeSpent(work, ticks * 1e3 / Stopwatch.Frequency),
        ];
    }

    /// <summary>From here on this thread does this work.</summary>
    internal static void Enter(Work work) => active?.Switch(work);

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
        (_current, _since) = (work, now);
    }
}
