using ShiftAddVit.Checkpoints;
using ShiftAddVit.Checkpoints.Naming;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Checkpoints.Naming;

public sealed class NamedWeightsTests : IDisposable
{
    const string Attention = "vit.encoder.layer.0.attention.attention";

    readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Query_key_and_value_are_joined_in_this_order()
    {
        // In the file in another order.
        using var checkpoint = Written(
            ("vit.embeddings.patch_embeddings.projection.bias", new Shape(1)),
            ($"{Attention}.value.weight", new(2, 3)), ($"{Attention}.query.weight", new(2, 3)), ($"{Attention}.key.weight", new(2, 3)));
        var weights = new NamedWeights(checkpoint);
        Assert.Equal(new Shape(6, 3), weights.Shapes["blocks.0.attn.qkv.weight"]);
        var read = weights.Read([("blocks.0.attn.qkv.weight", new(6, 3)), ("patch_embed.proj.bias", new(1))]);
        Assert.Equal(["blocks.0.attn.qkv.weight", "patch_embed.proj.bias"], read.Keys);
        Assert.Equal(new Shape(6, 3), read["blocks.0.attn.qkv.weight"].Shape);
        Assert.Equal([8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 2, 3, 4, 5, 6, 7], read["blocks.0.attn.qkv.weight"].Values);
    }

    [Fact]
    public void All_that_does_not_fit_is_named_in_one_error()
    {
        using var checkpoint = Written(("blocks.0.norm1.weight", new Shape(4)), ("extra", new(1)), ("head.bias", new(2)));
        var weights = new NamedWeights(checkpoint);
        Refused.By(checkpoint.Path, () => weights.Read([("blocks.0.norm1.weight", new(5)), ("pos_embed", new(1)), ("head.bias", new(2))]),
            "timm", "1 missing: 'pos_embed'", "1 unexpected: 'extra'", "1 of another shape: 'blocks.0.norm1.weight' is 4, not 5");
    }

    [Fact]
    public void Ten_of_each_kind_are_named_and_the_rest_counted()
    {
        using var checkpoint = Written([.. Enumerable.Range(0, 25).Select(i => ($"blocks.{i}.norm1.weight", new Shape(1)))]);
        var weights = new NamedWeights(checkpoint);
        var expected = Enumerable.Range(0, 11).Select(i => ($"blocks.{i}.norm1.weight", new Shape(2)))
            .Concat(Enumerable.Range(0, 23).Select(i => ($"absent{i}", new Shape(1))));
        Refused.By(checkpoint.Path, () => weights.Read([.. expected]), "23 missing: 'absent0'", "'absent9' and 13 more",
            "14 unexpected: 'blocks.11.norm1.weight'", "and 4 more", "11 of another shape", "and 1 more");
    }

    [Fact]
    public void A_part_that_is_missing_is_named()
    {
        using var checkpoint = Written(
            ("vit.embeddings.patch_embeddings.projection.bias", new Shape(1)),
            ($"{Attention}.query.weight", new(2, 3)), ($"{Attention}.value.weight", new(2, 3)));
        var weights = new NamedWeights(checkpoint);
        Assert.False(weights.Shapes.ContainsKey("blocks.0.attn.qkv.weight"));
        Refused.By(checkpoint.Path, () => weights.Read([("blocks.0.attn.qkv.weight", new(6, 3)), ("patch_embed.proj.bias", new(1))]),
            "1 missing: 'blocks.0.attn.qkv.weight'", $"'{Attention}.key.weight'");
    }

    [Theory]
    [InlineData(new[] { 2, 4 })]
    [InlineData(new[] { 6 })]
    [InlineData(new int[0])]
    public void Parts_that_cannot_be_joined_are_named(int[] odd)
    {
        using var checkpoint = Written(
            ("vit.embeddings.patch_embeddings.projection.bias", new Shape(1)),
            ($"{Attention}.query.weight", new(2, 3)), ($"{Attention}.key.weight", new(2, 3)), ($"{Attention}.value.weight", new(odd)));
        var weights = new NamedWeights(checkpoint);
        Refused.By(checkpoint.Path, () => weights.Read([("blocks.0.attn.qkv.weight", new(6, 3)), ("patch_embed.proj.bias", new(1))]),
            "'blocks.0.attn.qkv.weight'", "2x3, 2x3", "cannot be joined");
    }

    [Fact]
    public void What_is_ignored_is_not_unexpected()
    {
        using var checkpoint = Written(("vit.layernorm.weight", new Shape(2)), ("vit.pooler.dense.weight", new(2, 2)),
            ("vit.embeddings.patch_embeddings.projection.bias", new(1)));
        Assert.Equal(2, new NamedWeights(checkpoint).Read([("norm.weight", new(2)), ("patch_embed.proj.bias", new(1))]).Count);
    }

    /// <summary>Tensors that count on through the file from 1.</summary>
    Checkpoint Written(params (string Name, Shape Shape)[] tensors)
    {
        var (path, next) = (_directory.File("w"), 1);
        SafetensorsWriter.Write(path, [.. tensors.Select(tensor => KeyValuePair.Create(
            tensor.Name, new Tensor(tensor.Shape, [.. Enumerable.Range(0, tensor.Shape.ElementCount).Select(_ => (float)next++)])))]);
        return Checkpoint.Open(path);
    }
}
