using ShiftAddVit.Checkpoints;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Models;

/// <summary>Tiny checkpoints on disk, named as timm and as Hugging Face name them.</summary>
static class CheckpointFiles
{
    static readonly (string Timm, string HuggingFace)[] Modules =
    [
        ("patch_embed.proj.", "vit.embeddings.patch_embeddings.projection."), ("cls_token", "vit.embeddings.cls_token"),
        ("pos_embed", "vit.embeddings.position_embeddings"), ("blocks.", "vit.encoder.layer."), ("norm1.", "layernorm_before."),
        ("norm2.", "layernorm_after."), ("attn.proj.", "attention.output.dense."), ("mlp.fc1.", "intermediate.dense."),
        ("mlp.fc2.", "output.dense."), ("head.", "classifier."),
    ];

    public static string Write(TemporaryFolder folder, string name, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(folder[name])!);
        SafetensorsWriter.Write(folder[name], tensors);
        return folder[name];
    }

    public static string Write(TemporaryFolder folder, string name, VitArchitecture architecture) =>
        Write(folder, name, TinyModels.Weights(architecture));

    /// <summary>The same weights under the names of Hugging Face, queries, keys and values apart.</summary>
    public static Dictionary<string, Tensor> HuggingFace(IReadOnlyDictionary<string, Tensor> timm)
    {
        var renamed = new Dictionary<string, Tensor>();
        foreach (var (name, tensor) in timm)
            if (name.Contains("attn.qkv", StringComparison.Ordinal)) Split(renamed, name, tensor);
            else renamed.Add(Rename(name), tensor);
        return renamed;
    }

    static void Split(Dictionary<string, Tensor> renamed, string name, Tensor joined)
    {
        var third = joined.Shape.ElementCount / 3;
        foreach (var (part, index) in new[] { ("query", 0), ("key", 1), ("value", 2) })
        {
            var shape = joined.Shape.Rank == 2 ? new Shape(joined.Shape[0] / 3, joined.Shape[1]) : new Shape(third);
            var partName = Rename(name.Replace("attn.qkv", $"attention.attention.{part}", StringComparison.Ordinal));
            renamed.Add(partName, new(shape, joined.Values.Slice(index * third, third).ToArray()));
        }
    }

    static string Rename(string name)
    {
        if (name.StartsWith("norm.", StringComparison.Ordinal)) return "vit.layer" + name;
        return Modules.Aggregate(name, (renamed, module) => renamed.Replace(module.Timm, module.HuggingFace, StringComparison.Ordinal));
    }
}
