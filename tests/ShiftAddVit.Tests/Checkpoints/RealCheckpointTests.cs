using ShiftAddVit.Checkpoints;
using ShiftAddVit.Checkpoints.Naming;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Checkpoints;

public class RealCheckpointTests
{
    /// <summary>Touvron et al. 2021, table 1: DeiT-Ti has 12 layers of 192 channels, for 224 pixels in patches of 16.</summary>
    const int Layers = 12, Channels = 192, Tokens = 197, Classes = 1000;

    [Fact]
    public void All_tensors_of_deit_tiny_are_read()
    {
        using var checkpoint = Checkpoint.Open(RealData.Require("deit_tiny_patch16_224.safetensors"));
        var weights = new NamedWeights(checkpoint);
        Assert.Equal("timm", weights.Map.Source);
        Assert.Equal(new Shape(768, Channels), weights.Shapes["blocks.0.mlp.fc1.weight"]);
        var read = weights.Read([.. Expected()]);
        Assert.Equal(152, read.Count);
        Assert.Equal(5_717_416, read.Values.Sum(tensor => tensor.Values.Length));
        Assert.All(read, pair => Assert.Equal(checkpoint.Tensors[pair.Key].Shape, pair.Value.Shape));
    }

    [Fact]
    public void Doubles_of_the_golden_logits_are_read()
    {
        using var checkpoint = Checkpoint.Open(RealData.Require("golden_deit_tiny.safetensors"));
        Assert.Equal(ElementType.F64, checkpoint.Tensors["logits"].ElementType);
        Assert.Equal(new Shape(16, Classes), checkpoint.ReadFloat32("logits").Shape);
        Assert.Contains("ImageNet mean/std", checkpoint.Metadata["preprocess"], StringComparison.Ordinal);
    }

    static IEnumerable<(string Name, Shape Shape)> Expected() =>
    [
        ("patch_embed.proj.weight", new(Channels, 3, 16, 16)), ("patch_embed.proj.bias", new(Channels)),
        ("cls_token", new(1, 1, Channels)), ("pos_embed", new(1, Tokens, Channels)),
        .. Enumerable.Range(0, Layers).SelectMany(Block),
        ("norm.weight", new(Channels)), ("norm.bias", new(Channels)), ("head.weight", new(Classes, Channels)), ("head.bias", new(Classes)),
    ];

    static IEnumerable<(string Name, Shape Shape)> Block(int i) =>
    [
        .. Pair($"blocks.{i}.attn.qkv", 3 * Channels, Channels), .. Pair($"blocks.{i}.attn.proj", Channels, Channels),
        .. Pair($"blocks.{i}.mlp.fc1", 4 * Channels, Channels), .. Pair($"blocks.{i}.mlp.fc2", Channels, 4 * Channels),
        .. Pair($"blocks.{i}.norm1", Channels), .. Pair($"blocks.{i}.norm2", Channels),
    ];

    static IEnumerable<(string Name, Shape Shape)> Pair(string module, int outputs, params int[] inputs) =>
        [($"{module}.weight", new([outputs, .. inputs])), ($"{module}.bias", new(outputs))];
}
