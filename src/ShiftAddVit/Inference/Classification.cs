using System.Collections.Immutable;

namespace ShiftAddVit.Inference;

/// <summary>One class that a model proposes for an image.</summary>
/// <param name="ClassIndex">Index of the class, from 0.</param>
/// <param name="ClassName">Its name, or its index as text when the model knows no names.</param>
/// <param name="Logit">The model's output for it.</param>
/// <param name="Probability">softmax(logits) at it.</param>
public readonly record struct Classification(int ClassIndex, string ClassName, float Logit, float Probability)
{
    /// <summary>The classes with the largest logits, best first; of equal logits the lower index first.</summary>
    /// <param name="logits">The logits of one image.</param>
    /// <param name="count">How many to return, at least 1; as many as there are logits where that is more.</param>
    /// <param name="classNames">A name for each class, or empty.</param>
    /// <exception cref="ArgumentException">There are no logits, or <paramref name="count"/> is below 1.</exception>
    public static Classification[] Top(ReadOnlySpan<float> logits, int count, ImmutableArray<string> classNames)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (logits.IsEmpty) throw new ArgumentException("no logits", nameof(logits));
        var order = new int[logits.Length];
        for (var i = 0; i < order.Length; i++) order[i] = i;
        var keys = logits.ToArray();
        // The second key keeps the order of equal logits.
        Array.Sort(order, (a, b) => keys[b].CompareTo(keys[a]) is var byLogit and not 0 ? byLogit : a.CompareTo(b));

        double sum = 0;
        var largest = keys[order[0]];
        foreach (var logit in logits) sum += Math.Exp(logit - largest);
        return [.. order.Take(count).Select(index => new Classification(
            index, classNames.IsDefaultOrEmpty ? $"{index}" : classNames[index], keys[index], (float)(Math.Exp(keys[index] - largest) / sum)))];
    }
}
