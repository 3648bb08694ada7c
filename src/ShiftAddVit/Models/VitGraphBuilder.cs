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
        var (prefix, form) = ($"blocks.{index}.", architecture.Forms[index]);
        var qkv = Qkv(prefix + "attn.", form);
        var parameters = Parameters(prefix + "attn.", form.Attention);
        var projection = Layer(prefix + "attn.proj", LinearRole.Projection, architecture.Width, architecture.Width, form.ProjectionExperts);
        return new(Norm(prefix + "norm1"), new(qkv, projection, parameters), Norm(prefix + "norm2"), Mlp(prefix + "mlp.", form));
    }

    Layer Qkv(string prefix, BlockForm form)
    {
        var (c, experts, bias) = (architecture.Width, form.QkvExperts, BlockParameters.HasQkvBias(architecture, form));
        return form.SplitsQkv
            ? new QkvSplit(prefix + "qkv", Part(0), Part(1), Part(2))
            : Layer(prefix + "qkv", LinearRole.Qkv, 3 * c, c, experts, bias);

        Layer Part(int index) => Layer(prefix + QkvSplit.Parts[index], LinearRole.Qkv, c, c, experts, bias);
    }

    AttentionParameters Parameters(string prefix, AttentionForm form) => form.IsBinary
        ? new()
        {
            KeyBias = form.KeyBias ? Linear(prefix + "key_bias", LinearRole.KeyBias, architecture.Heads, architecture.Width, bias: false) : null,
            Temperature = form.Kind == AttentionKind.Quadratic ? tensor(prefix + "temperature") : null,
            Gain = form.Kind == AttentionKind.Taylor ? tensor(prefix + "gain") : null,
            Skip = form.Kind == AttentionKind.Taylor ? tensor(prefix + "skip") : null,
            Convolution = form.Convolution ? tensor(prefix + "convolution") : null,
            Hash = form.Codes != CodeRule.Ksh ? null : new(
                tensor(prefix + "hash.anchors"), tensor(prefix + "hash.spread"), tensor(prefix + "hash.mean"), tensor(prefix + "hash.projection")),
        }
        : AttentionParameters.None;

    MlpLayer Mlp(string prefix, BlockForm form) => form.MlpExperts == 1
        ? Mlp(prefix, form.Fc1Experts, form.Fc2Experts)
        : new MlpMixture(
            Linear(prefix + "router", LinearRole.Router, form.MlpExperts, architecture.Width),
            [.. Enumerable.Range(0, form.MlpExperts).Select(e => Mlp($"{prefix}experts.{e}.", 1, 1))]);

    Mlp Mlp(string prefix, int fc1Experts, int fc2Experts)
    {
        var (c, hidden) = (architecture.Width, architecture.MlpWidth);
        return new(
            Layer(prefix + "fc1", LinearRole.Fc1, hidden, c, fc1Experts), Layer(prefix + "fc2", LinearRole.Fc2, c, hidden, fc2Experts));
    }

    Layer Layer(string name, LinearRole role, int outputs, int inputs, int experts, bool bias = true) => experts == 1
        ? Linear(name, role, outputs, inputs, bias)
        : new Mixture(
            name, role, Linear(name + ".router", LinearRole.Router, experts, inputs),
            [.. Enumerable.Range(0, experts).Select(e => Linear($"{name}.experts.{e}", role, outputs, inputs, bias))]);

    LayerNorm Norm(string name) => new(name, tensor(name + ".weight"), tensor(name + ".bias"));

    Linear Linear(string name, LinearRole role, int outputs, int inputs, bool bias = true) =>
        new(name, role, weight(name, outputs, inputs), bias ? tensor(name + ".bias") : null);
}
