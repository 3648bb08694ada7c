using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>The shapes that kernels are chosen for.</summary>
public static class ModelShapes
{
    /// <summary>The shape of a layer: a head reads one row of an image, the others take blocks of rows.</summary>
    public static LinearShape Of(Linear linear)
    {
        ArgumentNullException.ThrowIfNull(linear);
        var rows = linear.Role == LinearRole.Head ? 1 : RowChain.KernelRows;
        return new(linear.Weight.Format, rows, linear.Weight.Inputs, linear.Weight.Outputs);
    }

    /// <summary>
    /// Every shape of a model, each once, routers left out, which no matrix kernel runs, in the order of the forward pass. A dense patch embedding is there in bytes as well, as it runs
    /// unless the model is compiled to be exact.
    /// </summary>
    public static IReadOnlyList<LinearShape> Of(VitGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var embedding = Of(graph.Embedding.Projection);
        var inBytes = embedding.Weights == WeightFormat.F32 ? embedding with { Weights = WeightFormat.S8 } : embedding;
        return [.. graph.Linears().Where(linear => linear.Role != LinearRole.Router).Select(Of).Prepend(inBytes).Distinct()];
    }
}
