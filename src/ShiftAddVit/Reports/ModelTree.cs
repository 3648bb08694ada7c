using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reports;

/// <summary>A part of a model, for display.</summary>
/// <param name="Name">Its last name, e.g. <c>qkv</c>.</param>
/// <param name="Shape">Extents joined by x; null for a group.</param>
/// <param name="Format">How its values are stored; null for a group.</param>
/// <param name="Bytes">Size in a packed file, without padding; of a group: of all its parts.</param>
/// <param name="Children">Its parts, in the order of the forward pass.</param>
public sealed record ModelNode(string Name, string? Shape, string? Format, long Bytes, ImmutableArray<ModelNode> Children);

/// <summary>A model as a tree of parts with shapes, formats and sizes.</summary>
public static class ModelTree
{
    /// <summary>The tree of a packed model; a dense checkpoint is shown as it would be packed.</summary>
    public static ModelNode Of(PackedModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var graph = model.Graph;
        var children = ImmutableArray.CreateBuilder<ModelNode>();
        children.Add(Group("embedding", [
            Leaf(graph.Embedding.Projection), Leaf("cls_token", graph.Embedding.ClassToken),
            .. graph.Embedding.DistillationToken is { } token ? [Leaf("dist_token", token)] : Array.Empty<ModelNode>(),
            Leaf("pos_embed", graph.Embedding.Positions)]));
        for (var i = 0; i < graph.Blocks.Length; i++) children.Add(OfBlock($"blocks.{i}", graph.Blocks[i], graph.Architecture.Forms[i].Attention));
        children.Add(Leaf(graph.Norm));
        children.Add(Leaf(graph.Head));
        if (graph.DistillationHead is { } distillation) children.Add(Leaf(distillation));
        return Group(Title(graph), children.ToImmutable());
    }

    static string Title(VitGraph graph)
    {
        var a = graph.Architecture;
        return $"ViT {a.ImageSize}px patch {a.PatchSize}, {a.Tokens} tokens x {a.Width}, {a.Depth} blocks, {a.Heads} heads, {a.Classes} classes";
    }

    static ModelNode OfBlock(string name, Block block, AttentionForm form)
    {
        var parameters = new List<ModelNode>();
        if (block.Attention.Parameters.KeyBias is { } keyBias) parameters.Add(Leaf(keyBias));
        block.Attention.Parameters.MapTensors("attn.", (part, tensor) => { parameters.Add(Leaf(part, tensor)); return tensor; });
        return Group(form.IsBinary ? $"{name}: {form}" : name, [
            Leaf(block.Norm1), .. Nodes(block.Attention.Qkv), .. parameters, .. Nodes(block.Attention.Projection),
            Leaf(block.Norm2), .. Nodes(block.Mlp)]);
    }

    static IEnumerable<ModelNode> Nodes(Layer layer) => layer switch
    {
        QkvSplit split => [.. Nodes(split.Queries), .. Nodes(split.Keys), .. Nodes(split.Values)],
        Mixture mixture => [Group(Short(mixture.Name), [Leaf(mixture.Router), .. mixture.Experts.Select(Leaf)])],
        _ => [Leaf((Linear)layer)],
    };

    static IEnumerable<ModelNode> Nodes(MlpLayer mlp) => mlp is MlpMixture mixture
        ? [Group("mlp", [Leaf(mixture.Router), .. mixture.Experts.Select((expert, e) => Group($"experts.{e}", [.. Nodes(expert)]))])]
        : mlp.Layers.SelectMany(Nodes);

    static ModelNode Group(string name, ImmutableArray<ModelNode> children) => new(name, null, null, children.Sum(child => child.Bytes), children);

    static ModelNode Leaf(Linear linear)
    {
        var (bytes, format) = linear.Weight switch
        {
            QuantizedWeight quantised => (quantised.ByteLength, $"{quantised.Format}"),
            var dense => (Bytes(dense.ToFloat32()), Format(dense.ToFloat32())),
        };
        if (linear.Bias is { } bias) bytes += Bytes(bias);
        return new(Short(linear.Name), $"{linear.Weight.Outputs}x{linear.Weight.Inputs}", format, bytes, []);
    }

    static ModelNode Leaf(LayerNorm norm) => new(Short(norm.Name), $"{norm.Gamma.Shape}", Format(norm.Gamma), Bytes(norm.Gamma) + Bytes(norm.Beta), []);

    static ModelNode Leaf(string name, Tensor tensor) => new(name, $"{tensor.Shape}", Format(tensor), Bytes(tensor), []);

    /// <summary><c>blocks.0.attn.qkv</c> without its block: <c>attn.qkv</c>.</summary>
    static string Short(string name) => name.StartsWith("blocks.", StringComparison.Ordinal) ? name.Split('.', 3)[2] : name;

    static string Format(Tensor tensor) => HalfPrecision.IsExact(tensor.Values) ? "F16" : "F32";

    static long Bytes(Tensor tensor) => (HalfPrecision.IsExact(tensor.Values) ? 2L : 4L) * tensor.Shape.ElementCount;
}
