using System.Collections.Immutable;

namespace ShiftAddVit.Tensors;

/// <summary>
/// The integers a quantised weight format can hold, and the nearest of them to a real number. The set is symmetric about 0. But for P5 its
/// magnitudes are integers up to 127, so every midpoint between neighbours is a multiple of one half and a table finds the nearest.
/// </summary>
public sealed class Codebook
{
    /// <summary>nearest[floor(2 |x|)]: between two multiples of one half the nearest magnitude does not change. Null for P5.</summary>
    readonly float[]? _nearest;

    Codebook(WeightFormat format, IEnumerable<int> magnitudes, float? scale = null)
    {
        (Format, Magnitudes, Scale) = (format, [.. magnitudes], scale);
        if (format == WeightFormat.P5) return;
        _nearest = new float[2 * Magnitudes[^1] + 1];
        for (var i = 0; i < _nearest.Length; i++) _nearest[i] = Magnitudes.MinBy(m => (Math.Abs(m - (i + 0.5) / 2), m));
    }

    /// <summary>The codebook of a quantised format.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="format"/> is <see cref="WeightFormat.F32"/>, which has none.</exception>
    public static Codebook Of(WeightFormat format) => format switch
    {
        WeightFormat.S8 => S8,
        WeightFormat.P4 => OneTerm,
        WeightFormat.P4P4 => TwoTerms,
        WeightFormat.P5 => DeepShift,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "only quantised formats have a codebook"),
    };

    static Codebook S8 { get; } = new(WeightFormat.S8, Enumerable.Range(0, 128));
    static Codebook OneTerm { get; } = new(WeightFormat.P4, Powers(P4.MaxExponent));
    static Codebook TwoTerms { get; } =
        new(WeightFormat.P4P4, Enumerable.Range(0, P4P4.MaxMagnitude + 1).Where(P4P4.CanEncode));
    static Codebook DeepShift { get; } = new(WeightFormat.P5, Powers(-P5.MinExponent), P5.Scale);

    /// <summary>The format this is the codebook of.</summary>
    public WeightFormat Format { get; }

    /// <summary>The magnitudes in ascending order, 0 first.</summary>
    public ImmutableArray<int> Magnitudes { get; }

    /// <summary>The largest magnitude.</summary>
    public int Max => Magnitudes[^1];

    /// <summary>What an integer is multiplied by, where that is part of the format; null where each row has a scale of its own.</summary>
    public float? Scale { get; }

    /// <summary>
    /// The value nearest to <paramref name="x"/>, of P5 nearest in the logarithm and 0 only for 0; a tie goes away from 0, what lies beyond the
    /// ends to the end.
    /// </summary>
    public short Nearest(float x)
    {
        var magnitude = (short)NearestMagnitude(MathF.Abs(x));
        return x < 0 ? (short)-magnitude : magnitude;
    }

    /// <summary>The magnitude nearest to <paramref name="x"/>, which is not negative.</summary>
    internal float NearestMagnitude(float x) =>
        _nearest is { } nearest ? nearest[(int)Math.Min(x * 2, nearest.Length - 1)] : P5.NearestMagnitude(x);

    static IEnumerable<int> Powers(int largest) => Enumerable.Range(0, largest + 1).Select(p => 1 << p).Prepend(0);
}
