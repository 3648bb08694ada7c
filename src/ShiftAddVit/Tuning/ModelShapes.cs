using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>The shapes that kernels are chosen for.</summary>
public static class ModelShapes
{
    /// <summary>The shape of a layer: a head reads one row of an image, the others take blocks of rows.</summary>
    /// <param name="linear">The layer.</param>
    /// <param name="headSize">D of the model.</param>
    public static LinearShape Of(Linear linear, int headSize)
    {
        ArgumentNullException.ThrowIfNull(linear);
        var weight = linear.Weight;
        var shape = new LinearShape(weight.Format, linear.Role == LinearRole.Head ? 1 : RowChain.KernelRows, weight.Inputs, weight.Outputs);
        return weight.Format == WeightFormat.F32 ? shape : linear.Role switch
        {
            LinearRole.Qkv => shape with { Output = LinearOutput.Heads, HeadSize = headSize },
            LinearRole.Fc1 => shape with { Output = LinearOutput.Gelu },
            LinearRole.Projection or LinearRole.Fc2 => shape with { Output = LinearOutput.Residual },
            _ => shape,
        };
    }

    /// <summary>
    /// Every shape of a model, each once, in the order of the forward pass. A dense patch embedding is there in bytes as well, as it runs
    /// unless the model is compiled to be exact.
    /// </summary>
    public static IReadOnlyList<LinearShape> Of(VitGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var headSize = graph.Architecture.HeadSize;
        var embedding = Of(graph.Embedding.Projection, headSize);
        var inBytes = embedding.Weights == WeightFormat.F32 ? embedding with { Weights = WeightFormat.S8 } : embedding;
        return [.. graph.Linears().Select(linear => Of(linear, headSize)).Prepend(inBytes).Distinct()];
    }
}
