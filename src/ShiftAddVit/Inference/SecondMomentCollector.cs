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

    const int TokensPerPass = 4;

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

    /// <summary>H[i, 0..i] += SUM_t x_t[i] x_t[0..i] for rows first..last-1, four tokens at a time so that H is read and written less.</summary>
    static void Accumulate(float[] tokens, int columns, int first, int last, float[] moment)
    {
        var none = new float[columns];
        for (var start = 0; start < tokens.Length; start += TokensPerPass * columns)
        {
            var (a, b, c, d) = (Token(0), Token(1), Token(2), Token(3));
            for (var i = first; i < last; i++) AddProducts(moment.AsSpan(i * columns, i + 1), i, a.Span, b.Span, c.Span, d.Span);

            ReadOnlyMemory<float> Token(int offset)
            {
                var begin = start + offset * columns;
                return begin < tokens.Length ? tokens.AsMemory(begin, columns) : none;
            }
        }
    }

    /// <summary>h[j] += a[i] a[j] + b[i] b[j] + c[i] c[j] + d[i] d[j].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void AddProducts(Span<float> h, int i, ReadOnlySpan<float> a, ReadOnlySpan<float> b, ReadOnlySpan<float> c, ReadOnlySpan<float> d)
    {
        var width = Vector<float>.Count;
        var j = 0;
        for (; j <= h.Length - width; j += width)
        {
            var sum = new Vector<float>(a[j..]) * a[i] + new Vector<float>(b[j..]) * b[i];
            sum += new Vector<float>(c[j..]) * c[i] + new Vector<float>(d[j..]) * d[i];
            (new Vector<float>(h[j..]) + sum).CopyTo(h[j..]);
        }
        for (; j < h.Length; j++) h[j] += a[i] * a[j] + b[i] * b[j] + c[i] * c[j] + d[i] * d[j];
    }
}
