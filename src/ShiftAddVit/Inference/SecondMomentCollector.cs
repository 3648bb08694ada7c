using System.Numerics;
using System.Runtime.CompilerServices;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Inference;

/// <summary>
/// Sums x x^T over all tokens that enter each linear layer: the statistics of error-feedback rounding. Deterministic: the order of the
/// additions does not depend on the number of threads.
/// </summary>
public sealed class SecondMomentCollector
{
    /// <summary>Rows of H that one work item updates.</summary>
    const int RowsPerPart = 16;

    readonly Dictionary<string, (float[] Values, long Samples)> _moments = [];
    readonly Func<string, bool> _wanted;
    readonly ParallelOptions _options;

    /// <summary>Creates a collector.</summary>
    /// <param name="wanted">Which layers to collect for, by name.</param>
    /// <param name="threads">How many threads to use.</param>
    public SecondMomentCollector(Func<string, bool> wanted, int threads)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        (_wanted, _options) = (wanted, new() { MaxDegreeOfParallelism = threads });
    }

    /// <summary>Takes an activation; to be used as the observer of a session.</summary>
    public void Observe(in Activation activation)
    {
        if (activation.Kind != ActivationKind.LinearInput || !_wanted(activation.Name)) return;
        var (columns, rows) = (activation.Columns, activation.Rows);
        var moment = _moments.TryGetValue(activation.Name, out var known) ? known : (Values: new float[columns * columns], Samples: 0);
        _moments[activation.Name] = (moment.Values, moment.Samples + rows);
        var values = activation.Values.ToArray();
        Parallel.For(0, (columns + RowsPerPart - 1) / RowsPerPart, _options, part =>
        {
            var first = part * RowsPerPart;
            Accumulate(values, columns, first, Math.Min(first + RowsPerPart, columns), moment.Values);
        });
    }

    /// <summary>What was collected, by layer name.</summary>
    public IReadOnlyDictionary<string, SecondMoment> Result() => _moments.ToDictionary(
        entry => entry.Key, entry => new SecondMoment((int)Math.Sqrt(entry.Value.Values.Length), entry.Value.Values, entry.Value.Samples));

    /// <summary>H[i, 0..i] += x[i] x[0..i] for rows first..last-1 and every token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Accumulate(float[] tokens, int columns, int first, int last, float[] moment)
    {
        var width = Vector<float>.Count;
        for (var start = 0; start < tokens.Length; start += columns)
        {
            var token = tokens.AsSpan(start, columns);
            for (var i = first; i < last; i++)
            {
                var target = moment.AsSpan(i * columns, i + 1);
                var factor = token[i];
                var j = 0;
                for (; j <= target.Length - width; j += width)
                    (new Vector<float>(target[j..]) + new Vector<float>(token[j..]) * factor).CopyTo(target[j..]);
                for (; j < target.Length; j++) target[j] += token[j] * factor;
            }
        }
    }
}
