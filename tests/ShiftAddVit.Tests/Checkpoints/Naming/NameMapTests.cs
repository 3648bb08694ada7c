using ShiftAddVit.Checkpoints;
using ShiftAddVit.Checkpoints.Naming;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Checkpoints.Naming;

public class NameMapTests
{
    static string[] Block { get; } =
    [
        "blocks.3.norm1.weight", "blocks.3.norm1.bias", "blocks.3.attn.qkv.weight", "blocks.3.attn.qkv.bias", "blocks.3.attn.proj.weight",
        "blocks.3.attn.proj.bias", "blocks.3.norm2.weight", "blocks.3.norm2.bias", "blocks.3.mlp.fc1.weight", "blocks.3.mlp.fc1.bias",
        "blocks.3.mlp.fc2.weight", "blocks.3.mlp.fc2.bias",
    ];

    static string[] LayerOfHuggingFace { get; } =
    [
        "layernorm_before.weight", "layernorm_before.bias", "attention.attention.query.weight", "attention.attention.query.bias",
        "attention.attention.key.weight", "attention.attention.key.bias",
        "attention.attention.value.weight", "attention.attention.value.bias",
        "attention.output.dense.weight", "attention.output.dense.bias", "layernorm_after.weight", "layernorm_after.bias",
        "intermediate.dense.weight", "intermediate.dense.bias", "output.dense.weight", "output.dense.bias",
    ];

    [Fact]
    public void Names_of_timm_stand_for_themselves()
    {
        var map = TimmNames.Map(["cls_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"]);
        Assert.Equal(["cls_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"], map.Parts.Keys);
        Assert.All(map.Parts, pair => Assert.Equal([pair.Key], pair.Value));
        Assert.Empty(map.Ignored);
    }

    [Theory]
    [InlineData("vit.")]
    [InlineData("deit.")]
    [InlineData("")]
    public void A_layer_of_hugging_face_becomes_a_block(string prefix)
    {
        var map = HuggingFaceNames.Map(LayerOfHuggingFace.Select(name => $"{prefix}encoder.layer.3.{name}"));
        Assert.Equal(Block, map.Parts.Keys);
        var attention = $"{prefix}encoder.layer.3.attention.attention";
        Assert.Equal([$"{attention}.query.bias", $"{attention}.key.bias", $"{attention}.value.bias"], map.Parts["blocks.3.attn.qkv.bias"]);
        Assert.Equal([$"{prefix}encoder.layer.3.attention.output.dense.weight"], map.Parts["blocks.3.attn.proj.weight"]);
        Assert.Equal([$"{prefix}encoder.layer.3.output.dense.weight"], map.Parts["blocks.3.mlp.fc2.weight"]);
    }

    [Theory]
    [InlineData("vit.embeddings.cls_token", "cls_token")]
    [InlineData("embeddings.cls_token", "cls_token")]
    [InlineData("deit.embeddings.distillation_token", "dist_token")]
    [InlineData("vit.embeddings.position_embeddings", "pos_embed")]
    [InlineData("vit.embeddings.patch_embeddings.projection.weight", "patch_embed.proj.weight")]
    [InlineData("deit.embeddings.patch_embeddings.projection.bias", "patch_embed.proj.bias")]
    [InlineData("vit.layernorm.weight", "norm.weight")]
    [InlineData("layernorm.bias", "norm.bias")]
    [InlineData("classifier.weight", "head.weight")]
    [InlineData("cls_classifier.bias", "head.bias")]
    [InlineData("distillation_classifier.weight", "head_dist.weight")]
    [InlineData("vit.encoder.layer.11.output.dense.bias", "blocks.11.mlp.fc2.bias")]
    public void Names_of_hugging_face_become_those_of_timm(string name, string canonical) =>
        Assert.Equal((canonical, name), HuggingFaceNames.Map([name]).Parts.Select(pair => (pair.Key, pair.Value.Single())).Single());

    [Theory]
    [InlineData("vit.pooler.dense.weight")]
    [InlineData("pooler.dense.bias")]
    [InlineData("deit.embeddings.mask_token")]
    public void What_a_classifier_does_not_use_is_ignored(string name)
    {
        var map = HuggingFaceNames.Map([name]);
        Assert.Equal([name], map.Ignored);
        Assert.Empty(map.Parts);
    }

    [Theory]
    [InlineData("decoder.0.weight")]
    [InlineData("vit.encoder.layer.0.adapter.weight")]
    [InlineData("vit.encoder.layer.")]
    [InlineData("vit.encoder.layer.0")]
    public void A_name_that_is_not_known_stands_for_itself(string name) => Assert.Equal([name], HuggingFaceNames.Map([name]).Parts.Keys);

    [Fact]
    public void Two_names_for_one_tensor_are_kept_apart()
    {
        var map = HuggingFaceNames.Map(["classifier.weight", "cls_classifier.weight"]);
        Assert.Equal(["classifier.weight"], map.Parts["head.weight"]);
        Assert.Equal(["cls_classifier.weight"], map.Parts["cls_classifier.weight"]);
    }

    [Theory]
    [InlineData("timm", "cls_token", "blocks.0.norm1.weight")]
    [InlineData("timm", "patch_embed.proj.weight")]
    [InlineData("DeiT release", "dist_token", "blocks.0.norm1.weight")]
    [InlineData("DeiT release", "patch_embed.proj.weight", "head_dist.bias")]
    [InlineData("Hugging Face", "vit.embeddings.patch_embeddings.projection.weight")]
    [InlineData("Hugging Face", "deit.encoder.layer.0.layernorm_before.weight")]
    [InlineData("Hugging Face", "embeddings.patch_embeddings.projection.bias", "pooler.dense.bias")]
    public void The_names_tell_the_source(string source, params string[] names)
    {
        using var directory = new TempDirectory();
        using var checkpoint = Written(directory, names);
        Assert.Equal(source, NameMap.For(checkpoint).Source);
    }

    [Theory]
    [InlineData("bert.encoder.layer.0.attention.self.query.weight")]
    [InlineData("swin.embeddings.patch_embeddings.projection.weight")]
    [InlineData("conv1.weight")]
    public void Other_networks_are_refused_with_their_names_and_the_known_sources(string name)
    {
        using var directory = new TempDirectory();
        using var checkpoint = Written(directory, [name]);
        Refused.By(checkpoint.Path, () => NameMap.For(checkpoint), $"'{name}'", "timm", "Hugging Face", "DeiT release");
    }

    static Checkpoint Written(TempDirectory directory, string[] names)
    {
        var path = directory.File("names");
        SafetensorsWriter.Write(path, names.Select(name => KeyValuePair.Create(name, new Tensor(new(1), [0]))));
        return Checkpoint.Open(path);
    }
}
