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

    /// <summary>The product of queries and keys, of floats or of bytes.</summary>
    internal static LinearShape Scores(WeightFormat format, int tokens, int headSize) => new(
        format, RowChain.KernelRows, headSize, tokens, format == WeightFormat.F32 ? LinearOutput.Stored : LinearOutput.Sums);

    /// <summary>The product of probabilities and values, of floats or of bytes, which come in whole quads.</summary>
    internal static LinearShape Values(WeightFormat format, int tokens, int headSize) =>
        new(format, RowChain.KernelRows, format == WeightFormat.F32 ? tokens : ValuePacking.Inputs(tokens), headSize);

    /// <summary>Whether attention, gelu and patch embedding run in bytes unless a model is compiled to be exact: where its blocks do.</summary>
    internal static bool RunsInBytes(VitGraph graph) => graph.Linears().Any(
        linear => linear is { Role: LinearRole.Qkv or LinearRole.Projection or LinearRole.Fc1 or LinearRole.Fc2, Weight: QuantizedWeight });

    /// <summary>
    /// Every shape of a model, each once: layers in the order of the forward pass without routers, which no matrix kernel runs, then attention's
    /// products. What runs in bytes unless the model is compiled to be exact is there in both forms.
    /// </summary>
    public static IReadOnlyList<LinearShape> Of(VitGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var (tokens, headSize) = (graph.Architecture.Tokens, graph.Architecture.HeadSize);
        var shapes = graph.Linears().Where(linear => linear.Role != LinearRole.Router).Select(linear => Of(linear, headSize)).ToList();
        if (RunsInBytes(graph))
        {
            if (shapes[0].Weights == WeightFormat.F32) shapes.Insert(0, shapes[0] with { Weights = WeightFormat.S8 });
            shapes.AddRange([Scores(WeightFormat.S8, tokens, headSize), Values(WeightFormat.S8, tokens, headSize)]);
        }
        return [.. shapes.Append(Scores(WeightFormat.F32, tokens, headSize)).Append(Values(WeightFormat.F32, tokens, headSize)).Distinct()];
    }
}
