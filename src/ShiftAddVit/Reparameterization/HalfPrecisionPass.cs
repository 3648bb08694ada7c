using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>
/// Rounds every float32 parameter (embeddings, norms, biases, heads) to the nearest float16, so that the file can hold it in 16 bits;
/// arithmetic stays float32. A parameter with a magnitude beyond float16's range stays as it is. Integer weights and their scales stay.
/// </summary>
public static class HalfPrecisionPass
{
    /// <summary>Rounds the parameters; lists those whose values changed.</summary>
    public static PassResult Apply(VitGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var changes = ImmutableArray.CreateBuilder<LayerChange>();
        var rounded = graph.MapTensors((name, tensor) =>
        {
            if (HalfPrecision.IsExact(tensor.Values) || HalfPrecision.Round(tensor.Values) is not { } values) return tensor;
            changes.Add(new(name, "F32", "F16", LayerChange.Error(tensor.Values, values), 16));
            return new Tensor(tensor.Shape, values);
        });
        return new(rounded with { Provenance = graph.Provenance.With("other parameters F16") }, changes.ToImmutable());
    }
}
