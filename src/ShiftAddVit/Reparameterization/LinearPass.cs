using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>How many layers of a pass are done.</summary>
/// <param name="Done">Layers done.</param>
/// <param name="Total">Layers in all.</param>
public readonly record struct PassProgress(int Done, int Total);

/// <summary>
/// Replaces the weights of the blocks' linear layers (queries/keys/values, projection, both layers of the MLP) by S8, P4, P4P4 or P5. The
/// patch embedding and the heads stay dense.
/// </summary>
public static class LinearPass
{
    /// <summary>The layers that the pass converts: those of the blocks that are neither mixtures nor experts.</summary>
    public static bool Converts(Layer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return layer is Linear { Role: LinearRole.Qkv or LinearRole.Projection or LinearRole.Fc1 or LinearRole.Fc2 }
            && !layer.Name.Contains(".experts.", StringComparison.Ordinal);
    }

    /// <summary>Converts by rounding to nearest, or with error feedback when second moments are given.</summary>
    /// <param name="graph">A model whose block layers are all dense.</param>
    /// <param name="format">The format to convert to; <see cref="WeightFormat.F32"/> changes nothing.</param>
    /// <param name="selection">Which of the layers that <see cref="Converts"/> names, by name; null for all.</param>
    /// <param name="moments">Second moments of the inputs of every layer to convert, by layer name (GPTQ); null rounds to nearest.</param>
    /// <param name="threads">How many threads to use; null for one a processor. The result does not depend on it.</param>
    /// <param name="progress">Told after each layer.</param>
    /// <param name="cancellation">Looked at before each layer.</param>
    /// <exception cref="ArgumentException">A layer to convert has no second moment, or one of another size.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is below 1.</exception>
    /// <exception cref="ShiftAddVitException">
    /// A layer is quantised already, or its second moment is not finite (the calibration images overflow its inputs) or no sum of products.
    /// </exception>
    public static PassResult Apply(
        VitGraph graph, WeightFormat format, IReadOnlyDictionary<string, SecondMoment>? moments = null, LayerSelection? selection = null,
        int? threads = null, IProgress<PassProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var degree = threads ?? Environment.ProcessorCount;
        ArgumentOutOfRangeException.ThrowIfLessThan(degree, 1, nameof(threads));
        if (format == WeightFormat.F32) return new(graph, []);
        Linear[] selected = [.. graph.Layers().Where(Selects).Cast<Linear>()];
        RequireDense(graph, selected);
        if (moments is not null)
            foreach (var linear in selected) RequireUsable(linear, moments, graph.Provenance.Source);
        var changes = ImmutableArray.CreateBuilder<LayerChange>();
        var converted = graph.MapLayers(layer =>
        {
            if (!Selects(layer)) return layer;
            var linear = (Linear)layer;
            cancellation.ThrowIfCancellationRequested();
            var dense = linear.Weight.ToFloat32();
            var weight = moments is null
                ? NearestQuantizer.Quantize(dense, format, degree)
                : WithFeedback(linear.Name, dense, format, moments[linear.Name], degree, graph.Provenance.Source);
            var error = LayerChange.Error(dense.Values, weight.ToFloat32().Values);
            changes.Add(new(linear.Name, nameof(WeightFormat.F32), format.ToString(), error, weight.BitsPerWeight));
            progress?.Report(new(changes.Count, selected.Length));
            return linear with { Weight = weight };
        });
        var method = moments is null ? "nearest" : "gptq";
        return new(converted with { Provenance = graph.Provenance.With($"linear {format} {method}") }, changes.ToImmutable());

        bool Selects(Layer layer) => Converts(layer) && (selection is null || selection.Selects(layer.Name));
    }

    static QuantizedWeight WithFeedback(
        string layer, Tensor dense, WeightFormat format, SecondMoment moment, int threads, string source)
    {
        try
        {
            return GptqQuantizer.Quantize(dense, format, moment, threads);
        }
        catch (ArithmeticException e)
        {
            throw new ShiftAddVitException($"{source}: {layer}: the second moment of its inputs is not positive definite", e);
        }
    }

    static void RequireUsable(Linear linear, IReadOnlyDictionary<string, SecondMoment> moments, string source)
    {
        var size = linear.Weight.Inputs;
        if (!moments.TryGetValue(linear.Name, out var moment))
            throw new ArgumentException($"there is no second moment for {linear.Name}", nameof(moments));
        if (moment.Size != size || moment.Values.Length != (long)size * size)
            throw new ArgumentException(
                $"{linear.Name} has {size} inputs and a second moment of {moment.Size} inputs, of {moment.Values.Length} values",
                nameof(moments));
        for (var i = 0; i < size; i++)
            if (!Finite.All(moment.Values.AsSpan(i * size, i + 1)))
                throw new ShiftAddVitException($"{source}: {linear.Name}: the calibration images overflow its inputs");
    }

    static void RequireDense(VitGraph graph, IEnumerable<Linear> selected)
    {
        if (selected.FirstOrDefault(linear => linear.Weight is not DenseWeight) is { } quantised)
            throw new ShiftAddVitException(
                $"{graph.Provenance.Source}: {quantised.Name} is {quantised.Weight.Format} already; a pass over linear layers starts from dense weights");
    }
}
