namespace ShiftAddVit.Reports;

/// <summary>How much the logits of two engines differ for the same images.</summary>
/// <param name="Largest">max |a - b| over the batch and the classes.</param>
/// <param name="Range">Largest minus smallest of the logits compared with.</param>
public readonly record struct LogitDifference(double Largest, double Range)
{
    /// <summary>The largest difference as a share of the range; null where all logits are the same.</summary>
    public double? Share => Range > 0 ? Largest / Range : null;

    /// <summary>Compares logits, all finite, with those of another engine.</summary>
    /// <param name="expected">[B, classes]; the range is theirs.</param>
    /// <param name="actual">[B, classes].</param>
    /// <exception cref="ArgumentException">The lengths differ, or are 0.</exception>
    public static LogitDifference Between(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        if (expected.Length != actual.Length || expected.IsEmpty)
            throw new ArgumentException($"{actual.Length} logits cannot be compared with {expected.Length}", nameof(actual));
        double largest = 0, low = expected[0], high = expected[0];
        for (var i = 0; i < expected.Length; i++)
        {
            largest = Math.Max(largest, Math.Abs(expected[i] - (double)actual[i]));
            (low, high) = (Math.Min(low, expected[i]), Math.Max(high, expected[i]));
        }
        return new(largest, high - low);
    }
}
