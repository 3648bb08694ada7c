using System.Collections.Immutable;

namespace ShiftAddVit.Models;

/// <summary>A mixture of a graph, whatever its experts are.</summary>
/// <param name="Name">Canonical name, e.g. <c>blocks.0.attn.proj</c>, <c>blocks.0.mlp</c>.</param>
/// <param name="Input">The layer that observers name when they see what enters it: its own name, or that of the layer it is a part of.</param>
/// <param name="Router">[E,K].</param>
/// <param name="Experts">The linear layers of each expert: one, or the two of an MLP.</param>
public sealed record GraphMixture(string Name, string Input, Linear Router, ImmutableArray<ImmutableArray<Linear>> Experts)
{
    /// <summary>What to call each expert: its format.</summary>
    public ImmutableArray<string> ExpertNames => [.. Experts.Select(layers => string.Join('/', layers.Select(layer => layer.Weight.Format).Distinct()))];

    internal static IEnumerable<GraphMixture> Of(Block block) =>
        [.. Of(block.Attention.Qkv), .. Of(block.Attention.Projection), .. Of(block.Mlp)];

    static IEnumerable<GraphMixture> Of(MlpLayer mlp) => mlp is MlpMixture mixture
        ? [new(mixture.Name, mixture.Name, mixture.Router, [.. mixture.Experts.Select(expert => expert.Layers.Cast<Linear>().ToImmutableArray())])]
        : mlp.Layers.SelectMany(layer => Of(layer));

    static IEnumerable<GraphMixture> Of(Layer layer, string? input = null) => layer switch
    {
        QkvSplit split => [.. Of(split.Queries, split.Name), .. Of(split.Keys, split.Name), .. Of(split.Values, split.Name)],
        Mixture mixture => [new(mixture.Name, input ?? mixture.Name, mixture.Router, [.. mixture.Experts.Select(expert => ImmutableArray.Create(expert))])],
        _ => [],
    };
}
