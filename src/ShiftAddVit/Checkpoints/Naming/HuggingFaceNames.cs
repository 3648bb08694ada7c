using System.Collections.Frozen;
using System.Collections.Immutable;

namespace ShiftAddVit.Checkpoints.Naming;

/// <summary>
/// The names of ViT and DeiT in Hugging Face transformers, with the prefix <c>vit.</c> or <c>deit.</c> or without. The separate
/// weights and biases of query, key and value are joined, in this order, to those of <c>attn.qkv</c>.
/// </summary>
public static class HuggingFaceNames
{
    internal const string Source = "Hugging Face";

    const string Layer = "encoder.layer.", Attention = "attention.attention.";

    static ImmutableArray<string> Prefixes { get; } = ["vit.", "deit."];

    static ImmutableArray<string> Leaves { get; } = [".weight", ".bias"];

    static FrozenDictionary<string, string> Modules { get; } = new Dictionary<string, string>
    {
        ["embeddings.cls_token"] = "cls_token",
        ["embeddings.distillation_token"] = "dist_token",
        ["embeddings.position_embeddings"] = "pos_embed",
        ["embeddings.patch_embeddings.projection"] = "patch_embed.proj",
        ["layernorm"] = "norm",
        ["classifier"] = "head",
        ["cls_classifier"] = "head",
        ["distillation_classifier"] = "head_dist",
    }.ToFrozenDictionary();

    static FrozenDictionary<string, string> ModulesOfBlock { get; } = new Dictionary<string, string>
    {
        ["layernorm_before"] = "norm1",
        ["attention.output.dense"] = "attn.proj",
        ["layernorm_after"] = "norm2",
        ["intermediate.dense"] = "mlp.fc1",
        ["output.dense"] = "mlp.fc2",
    }.ToFrozenDictionary();

    /// <summary>Whether the names look like those of a ViT or DeiT of Hugging Face.</summary>
    public static bool Recognizes(IReadOnlyCollection<string> names) => names.Select(WithoutPrefix).Any(name =>
        name.StartsWith("embeddings.patch_embeddings.", StringComparison.Ordinal)
        || name.StartsWith(Layer + "0.layernorm_before.", StringComparison.Ordinal));

    /// <summary>Maps the names; the pooler and the mask token, which a classifier does not use, are ignored.</summary>
    public static NameMap Map(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        var map = new NameMap(Source);
        foreach (var name in names)
        {
            var bare = WithoutPrefix(name);
            if (bare == "embeddings.mask_token" || bare.StartsWith("pooler.", StringComparison.Ordinal)) map.Ignore(name);
            else if (bare.StartsWith(Layer, StringComparison.Ordinal)) AddOfBlock(map, name, bare[Layer.Length..]);
            else Add(map, name, "", bare, Modules);
        }
        return map;
    }

    static void AddOfBlock(NameMap map, string name, string rest)
    {
        var dot = rest.IndexOf('.', StringComparison.Ordinal);
        var block = $"blocks.{rest[..Math.Max(dot, 0)]}.";
        var (module, leaf) = Split(rest[(dot + 1)..]);
        if (module is not (Attention + "query" or Attention + "key" or Attention + "value"))
        {
            Add(map, name, block, module + leaf, ModulesOfBlock);
            return;
        }
        var path = name[..(name.LastIndexOf(Attention, StringComparison.Ordinal) + Attention.Length)];
        map.Add(name, $"{block}attn.qkv{leaf}", [$"{path}query{leaf}", $"{path}key{leaf}", $"{path}value{leaf}"]);
    }

    static void Add(NameMap map, string name, string block, string bare, FrozenDictionary<string, string> modules)
    {
        var (module, leaf) = Split(bare);
        map.Add(name, modules.TryGetValue(module, out var canonical) ? block + canonical + leaf : name, [name]);
    }

    /// <summary>Splits <c>.weight</c> or <c>.bias</c> off.</summary>
    static (string Module, string Leaf) Split(string name)
    {
        foreach (var leaf in Leaves)
            if (name.EndsWith(leaf, StringComparison.Ordinal)) return (name[..^leaf.Length], leaf);
        return (name, "");
    }

    static string WithoutPrefix(string name)
    {
        foreach (var prefix in Prefixes)
            if (name.StartsWith(prefix, StringComparison.Ordinal)) return name[prefix.Length..];
        return name;
    }
}
