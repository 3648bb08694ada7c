using System.Collections.Immutable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>What a linear layer does in its block.</summary>
public enum LinearRole
{
    /// <summary>Patches to tokens; a convolution whose stride is its size.</summary>
    PatchEmbedding,

    /// <summary>Tokens to queries, keys and values, [3C, C].</summary>
    Qkv,

    /// <summary>Output projection of attention, [C, C].</summary>
    Projection,

    /// <summary>First layer of the MLP.</summary>
    Fc1,

    /// <summary>Second layer of the MLP.</summary>
    Fc2,

    /// <summary>Token to logits.</summary>
    Head,

    /// <summary>Token to the logits of experts.</summary>
    Router,

    /// <summary>Token to how much each head attends to it.</summary>
    KeyBias,
}

/// <summary>y = gamma * (x - mean) / sqrt(variance + epsilon) + beta over the channels of a token.</summary>
/// <param name="Name">Canonical name without <c>.weight</c>, e.g. <c>blocks.0.norm1</c>.</param>
/// <param name="Gamma">[C].</param>
/// <param name="Beta">[C].</param>
public sealed record LayerNorm(string Name, Tensor Gamma, Tensor Beta);

/// <summary>y = Projection(attention of the heads, side by side), in the form that the architecture says.</summary>
/// <param name="Qkv">[3C,C]: queries, keys, values, each head by head.</param>
/// <param name="Projection">[C,C].</param>
/// <param name="Parameters">What the form has besides.</param>
public sealed record Attention(Layer Qkv, Layer Projection, AttentionParameters Parameters);

/// <summary>One MLP, or several of which a router chooses.</summary>
public abstract record MlpLayer
{
    /// <summary>Its layers in the order of the forward pass: routers and experts apart, mixtures as they are.</summary>
    public abstract IEnumerable<Layer> Layers { get; }

    /// <summary>The same with every layer replaced by <paramref name="map"/> of it; the router of whole MLPs stays.</summary>
    public abstract MlpLayer MapLayers(Func<Layer, Layer> map);
}

/// <summary>y = Fc2(gelu(Fc1(x))), with the exact (erf) GELU.</summary>
public sealed record Mlp(Layer Fc1, Layer Fc2) : MlpLayer
{
    /// <inheritdoc/>
    public override IEnumerable<Layer> Layers => [Fc1, Fc2];

    /// <inheritdoc/>
    public override Mlp MapLayers(Func<Layer, Layer> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map(Fc1), map(Fc2));
    }
}

/// <summary>y = gate_e * Experts[e](x), as <see cref="Mixture"/>.</summary>
/// <param name="Router">[E,C].</param>
/// <param name="Experts">E MLPs of ordinary layers.</param>
public sealed record MlpMixture(Linear Router, ImmutableArray<Mlp> Experts) : MlpLayer
{
    /// <summary>Canonical name, after which the router and the experts are named: <c>blocks.0.mlp</c>.</summary>
    public string Name => Router.Name[..Router.Name.LastIndexOf('.')];

    /// <inheritdoc/>
    public override IEnumerable<Layer> Layers => [Router, .. Experts.SelectMany(expert => expert.Layers)];

    /// <inheritdoc/>
    public override MlpLayer MapLayers(Func<Layer, Layer> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new MlpMixture((Linear)map(Router), [.. Experts.Select(expert => expert.MapLayers(map))]);
    }
}

/// <summary>x += Attention(Norm1(x)); x += Mlp(Norm2(x)).</summary>
public sealed record Block(LayerNorm Norm1, Attention Attention, LayerNorm Norm2, MlpLayer Mlp);

/// <summary>Patches to tokens, in front of them the prefix tokens, plus positions.</summary>
/// <param name="Projection">[C, 3 * patch * patch], inputs ordered channel, row, column.</param>
/// <param name="ClassToken">[C].</param>
/// <param name="DistillationToken">[C], or none.</param>
/// <param name="Positions">[N,C], prefix tokens first.</param>
public sealed record PatchEmbedding(Linear Projection, Tensor ClassToken, Tensor? DistillationToken, Tensor Positions);

/// <summary>Where a model came from and what was done to it since.</summary>
/// <param name="Source">File name of the checkpoint, without its folder.</param>
/// <param name="Sha256">SHA-256 of that file, lower-case hexadecimal.</param>
/// <param name="Steps">One line for each pass, in order.</param>
public sealed record Provenance(string Source, string Sha256, ImmutableArray<string> Steps)
{
    /// <summary>The same origin with one more step.</summary>
    public Provenance With(string step) => this with { Steps = Steps.Add(step) };

    /// <inheritdoc/>
    public bool Equals(Provenance? other) =>
        other is not null && Source == other.Source && Sha256 == other.Sha256 && Steps.AsSpan().SequenceEqual(other.Steps.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Source, Sha256, Steps.Length);
}

/// <summary>A model: architecture and weights. Immutable; a pass makes a new one that shares what it did not change.</summary>
/// <param name="Architecture">The numbers that fix every shape.</param>
/// <param name="Embedding">Image to tokens.</param>
/// <param name="Blocks">One for each of <see cref="VitArchitecture.Depth"/>.</param>
/// <param name="Norm">The norm in front of the heads.</param>
/// <param name="Head">Class token to logits.</param>
/// <param name="DistillationHead">Distillation token to logits, averaged with the former; or none.</param>
/// <param name="Preprocessing">What the model expects of its images; null when nothing said so.</param>
/// <param name="ClassNames">A name for each class, or empty.</param>
/// <param name="Provenance">Where the weights came from.</param>
public sealed record VitGraph(
    VitArchitecture Architecture, PatchEmbedding Embedding, ImmutableArray<Block> Blocks, LayerNorm Norm, Linear Head,
    Linear? DistillationHead, Preprocessing? Preprocessing, ImmutableArray<string> ClassNames, Provenance Provenance)
{
    /// <summary>The pre-processing.</summary>
    /// <exception cref="ShiftAddVitException">The model does not know it.</exception>
    public Preprocessing RequirePreprocessing() => Preprocessing ?? throw Models.Preprocessing.Unknown(Provenance.Source);

    /// <summary>Every linear layer in the order of the forward pass.</summary>
    public IEnumerable<Linear> Linears()
    {
        var linears = new List<Linear>();
        MapLinears(linear => { linears.Add(linear); return linear; });
        return linears;
    }

    /// <summary>Every layer in the order of the forward pass, mixtures as a whole.</summary>
    public IEnumerable<Layer> Layers()
    {
        var layers = new List<Layer>();
        MapLayers(layer => { layers.Add(layer); return layer; });
        return layers;
    }

    /// <summary>Every mixture in the order of the forward pass.</summary>
    public IEnumerable<GraphMixture> Mixtures() => Blocks.SelectMany(GraphMixture.Of);

    /// <summary>The same model with every linear layer replaced by <paramref name="map"/> of it, called in the order of the forward pass.</summary>
    public VitGraph MapLinears(Func<Linear, Linear> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return MapLayers(layer => layer.MapLinears(map));
    }

    /// <summary>
    /// The same model with every layer replaced by <paramref name="map"/> of it, called in the order of the forward pass: mixtures as a
    /// whole, queries, keys and values on their own where they are split. What replaces the patch embedding, a head, a router or a key bias is a linear layer.
    /// </summary>
    public VitGraph MapLayers(Func<Layer, Layer> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return this with
        {
            Embedding = Embedding with { Projection = (Linear)map(Embedding.Projection) },
            Blocks = [.. Blocks.Select(block => block with { Attention = Map(block.Attention), Mlp = block.Mlp.MapLayers(map) })],
            Head = (Linear)map(Head),
            DistillationHead = DistillationHead is null ? null : (Linear)map(DistillationHead),
        };

        Attention Map(Attention attention)
        {
            var qkv = attention.Qkv is QkvSplit split
                ? split with { Queries = map(split.Queries), Keys = map(split.Keys), Values = map(split.Values) }
                : map(attention.Qkv);
            var parameters = attention.Parameters;
            var keyBias = parameters.KeyBias is { } bias ? (Linear)map(bias) : null;
            return new(qkv, map(attention.Projection), parameters with { KeyBias = keyBias });
        }
    }

    /// <summary>
    /// The same model with every float32 parameter replaced by <paramref name="map"/> of its canonical name and value; integer weights
    /// and their scales stay.
    /// </summary>
    public VitGraph MapTensors(Func<string, Tensor, Tensor> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        var embedding = Embedding with
        {
            ClassToken = map("cls_token", Embedding.ClassToken),
            DistillationToken = Embedding.DistillationToken is { } token ? map("dist_token", token) : null,
            Positions = map("pos_embed", Embedding.Positions),
        };
        var normed = this with
        {
            Embedding = embedding,
            Blocks = [.. Blocks.Select((block, i) => block with
            {
                Norm1 = Map(block.Norm1), Norm2 = Map(block.Norm2),
                Attention = block.Attention with { Parameters = block.Attention.Parameters.MapTensors($"blocks.{i}.attn.", map) },
            })],
            Norm = Map(Norm),
        };
        return normed.MapLinears(linear => linear with
        {
            Weight = linear.Weight is DenseWeight dense ? new DenseWeight(map(linear.Name + ".weight", dense.Values)) : linear.Weight,
            Bias = linear.Bias is { } bias ? map(linear.Name + ".bias", bias) : null,
        });

        LayerNorm Map(LayerNorm norm) => norm with { Gamma = map(norm.Name + ".weight", norm.Gamma), Beta = map(norm.Name + ".bias", norm.Beta) };
    }
}
