using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>How many layers of a pass are done.</summary>
/// <param name="Done">Layers done.</param>
/// <param name="Total">Layers in all.</param>
public readonly record struct PassProgress(int Done, int Total);

/// <summary>
/// Replaces the weights of the blocks' linear layers (queries/keys/values, projection, both layers of the MLP) by S8, P4 or P4P4. The
/// patch embedding and the heads stay dense.
/// </summary>
public static class LinearPass
{
    /// <summary>The layers that the pass converts.</summary>
    public static bool Converts(Linear linear)
    {
        ArgumentNullException.ThrowIfNull(linear);
        return linear.Role is LinearRole.Qkv or LinearRole.Projection or LinearRole.Fc1 or LinearRole.Fc2;
    }

    /// <summary>Converts by rounding to nearest, or with error feedback when second moments are given.</summary>
    /// <param name="graph">A model whose block layers are all dense.</param>
    /// <param name="format">The format to convert to; <see cref="WeightFormat.F32"/> changes nothing.</param>
    /// <param name="moments">Second moments of the inputs of every layer to convert, by layer name (GPTQ); null rounds to nearest.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <param name="cancellation">Looked at before each layer.</param>
    /// <exception cref="ShiftAddVitException">A layer is quantised already.</exception>
    public static PassResult Apply(
        VitGraph graph, WeightFormat format, IReadOnlyDictionary<string, SecondMoment>? moments = null,
        IProgress<PassProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        if (format == WeightFormat.F32) return new(graph, []);
        RequireDense(graph);
        var total = graph.Linears().Count(Converts);
        var changes = ImmutableArray.CreateBuilder<LayerChange>();
        var converted = graph.MapLinears(linear =>
        {
            if (!Converts(linear)) return linear;
            cancellation.ThrowIfCancellationRequested();
            var dense = linear.Weight.ToFloat32();
            var weight = moments is null
                ? NearestQuantizer.Quantize(dense, format)
                : GptqQuantizer.Quantize(dense, format, moments[linear.Name]);
            var error = LayerChange.Error(dense.Values, weight.ToFloat32().Values);
            changes.Add(new(linear.Name, nameof(WeightFormat.F32), format.ToString(), error, weight.BitsPerWeight));
            progress?.Report(new(changes.Count, total));
            return linear with { Weight = weight };
        });
        var method = moments is null ? "nearest" : "gptq";
        return new(converted with { Provenance = graph.Provenance.With($"linear {format} {method}") }, changes.ToImmutable());
    }

    static void RequireDense(VitGraph graph)
    {
        if (graph.Linears().FirstOrDefault(linear => Converts(linear) && linear.Weight is not DenseWeight) is { } quantised)
            throw new ShiftAddVitException(
                $"{graph.Provenance.Source}: {quantised.Name} is {quantised.Weight.Format} already; a pass over linear layers starts from dense weights");
    }
}
