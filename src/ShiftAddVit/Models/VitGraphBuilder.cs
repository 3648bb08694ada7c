using System.Collections.Immutable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>Builds the graph of an architecture, asking for each part by its canonical name.</summary>
/// <param name="architecture">A validated architecture.</param>
/// <param name="tensor">The float32 parameter of a name, with as many elements as the architecture says.</param>
/// <param name="weight">The weight [N,K] of a linear layer: its name without <c>.weight</c>, N and K.</param>
public sealed class VitGraphBuilder(VitArchitecture architecture, Func<string, Tensor> tensor, Func<string, int, int, LinearWeight> weight)
{
    /// <summary>Builds the graph from float32 parameters under their canonical names.</summary>
    public static VitGraph FromTensors(
        VitArchitecture architecture, IReadOnlyDictionary<string, Tensor> tensors, Preprocessing? preprocessing,
        ImmutableArray<string> classNames, Provenance provenance)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var builder = new VitGraphBuilder(
            architecture, name => tensors[name], (name, n, k) => new DenseWeight(tensors[name + ".weight"].Reshape(new(n, k))));
        return builder.Build(preprocessing, classNames, provenance);
    }

    /// <summary>Builds the graph.</summary>
    public VitGraph Build(Preprocessing? preprocessing, ImmutableArray<string> classNames, Provenance provenance)
    {
        var embedding = Embedding();
        ImmutableArray<Block> blocks = [.. Enumerable.Range(0, architecture.Depth).Select(Block)];
        return new(
            architecture, embedding, blocks, Norm("norm"), Linear("head", LinearRole.Head, architecture.Classes, architecture.Width),
            architecture.DistillationToken ? Linear("head_dist", LinearRole.Head, architecture.Classes, architecture.Width) : null,
            preprocessing, classNames, provenance);
    }

    PatchEmbedding Embedding()
    {
        var width = new Shape(architecture.Width);
        return new(
            Linear("patch_embed.proj", LinearRole.PatchEmbedding, architecture.Width, architecture.PatchInputs),
            tensor("cls_token").Reshape(width),
            architecture.DistillationToken ? tensor("dist_token").Reshape(width) : null,
            tensor("pos_embed").Reshape(new(architecture.Tokens, architecture.Width)));
    }

    Block Block(int index)
    {
        var (prefix, c, hidden) = ($"blocks.{index}.", architecture.Width, architecture.MlpWidth);
        return new(
            Norm(prefix + "norm1"),
            new(Linear(prefix + "attn.qkv", LinearRole.Qkv, 3 * c, c, architecture.QkvBias), Linear(prefix + "attn.proj", LinearRole.Projection, c, c)),
            Norm(prefix + "norm2"),
            new(Linear(prefix + "mlp.fc1", LinearRole.Fc1, hidden, c), Linear(prefix + "mlp.fc2", LinearRole.Fc2, c, hidden)));
    }

    LayerNorm Norm(string name) => new(name, tensor(name + ".weight"), tensor(name + ".bias"));

    Linear Linear(string name, LinearRole role, int outputs, int inputs, bool bias = true) =>
        new(name, role, weight(name, outputs, inputs), bias ? tensor(name + ".bias") : null);
}
