using System.Collections.Immutable;
using ShiftAddVit.Inference;

namespace ShiftAddVit.Reports;

/// <summary>How much one activation differs between two models.</summary>
/// <param name="Kind">Which activation.</param>
/// <param name="Name">Of which layer.</param>
/// <param name="RelativeError">sqrt(SUM (a - b)^2 / SUM a^2).</param>
/// <param name="MaxDifference">max |a - b|.</param>
/// <param name="Cosine">a.b / (|a| |b|).</param>
public readonly record struct ActivationDifference(ActivationKind Kind, string Name, double RelativeError, double MaxDifference, double Cosine);

/// <summary>Runs two stages of one model on the same input and compares their activations, layer by layer.</summary>
public static class ModelComparison
{
    /// <summary>The differences in the order of the forward pass; the second model is measured against the first.</summary>
    /// <exception cref="ShiftAddVitException">The models differ in shape.</exception>
    public static ImmutableArray<ActivationDifference> Run(CompiledModel first, CompiledModel second, ReadOnlySpan<float> image)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        var (a, b) = (first.Architecture, second.Architecture);
        if (a with { LayerNormEpsilon = b.LayerNormEpsilon } != b)
            throw new ShiftAddVitException("the two models differ in shape; only two stages of one model can be compared");
        var expected = Activations(first, image);
        var actual = Activations(second, image);
        return [.. expected.Zip(actual, (x, y) => Compare(x.Kind, x.Name, x.Values, y.Values))];
    }

    static List<(ActivationKind Kind, string Name, float[] Values)> Activations(CompiledModel model, ReadOnlySpan<float> image)
    {
        var seen = new List<(ActivationKind, string, float[])>();
        using var session = model.CreateSession(new()
        {
            Observer = (in activation) => seen.Add((activation.Kind, activation.Name, activation.Values.ToArray())),
        });
        session.Run(image, 1, new float[model.Architecture.Classes]);
        return seen;
    }

    static ActivationDifference Compare(ActivationKind kind, string name, float[] a, float[] b)
    {
        double error = 0, aa = 0, bb = 0, ab = 0, largest = 0;
        for (var i = 0; i < a.Length; i++)
        {
            double difference = a[i] - (double)b[i];
            error += difference * difference;
            largest = Math.Max(largest, Math.Abs(difference));
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
            ab += (double)a[i] * b[i];
        }
        return new(kind, name, aa == 0 ? 0 : Math.Sqrt(error / aa), largest, aa * bb == 0 ? 1 : ab / Math.Sqrt(aa * bb));
    }
}
