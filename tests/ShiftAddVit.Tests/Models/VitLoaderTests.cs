using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Models;

public sealed class VitLoaderTests : IDisposable
{
    static readonly VitArchitecture Tiny = TinyModels.Architecture;
    static readonly LoadOptions TwoHeads = new(Heads: 2);

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static float[] Logits(VitGraph graph, int batch = 2)
    {
        using var model = CompiledModel.Compile(graph);
        using var session = model.CreateSession(new() { MaxBatch = batch });
        return session.Run(TinyModels.Images(graph.Architecture, batch), batch);
    }

    string Write(Dictionary<string, Tensor> tensors, string name = "model.pth") => CheckpointFiles.Write(_folder, name, tensors);

    [Fact]
    public void The_names_of_Hugging_Face_give_the_logits_of_timm_to_the_bit()
    {
        var weights = TinyModels.Weights(Tiny);
        var timm = VitLoader.Load(Write(weights, "timm.safetensors"), TwoHeads);
        var huggingFace = VitLoader.Load(Write(CheckpointFiles.HuggingFace(weights), "hf.safetensors"), TwoHeads);
        Assert.Equal(VitArchitecture.HuggingFaceEpsilon, huggingFace.Architecture.LayerNormEpsilon);
        Assert.Equal(VitArchitecture.TimmEpsilon, timm.Architecture.LayerNormEpsilon);
        var sameEpsilon = huggingFace with { Architecture = timm.Architecture };
        Assert.Equal(Logits(timm), Logits(sameEpsilon));
    }

    [Fact]
    public void Distilled_logits_are_the_mean_of_two_plain_heads()
    {
        var distilled = TinyModels.Create(Tiny with { DistillationToken = true });
        // Without the second head, and with the second token and head in the place of the first.
        var first = distilled with { DistillationHead = Zero(distilled.DistillationHead!) };
        var second = distilled with { Head = Zero(distilled.Head) };
        var expected = Logits(first).Zip(Logits(second), (a, b) => a + b);
        Assert.All(expected.Zip(Logits(distilled)), pair => Assert.Equal(pair.First, pair.Second, 1e-6f));
        Assert.NotEqual(Logits(first), Logits(second));

        static Linear Zero(Linear head) => head with
        {
            Weight = new DenseWeight(new(new(head.Weight.Outputs, head.Weight.Inputs), new float[head.Weight.Outputs * head.Weight.Inputs])),
            Bias = new(head.Bias!.Shape, new float[head.Weight.Outputs]),
        };
    }

    [Fact]
    public void Missing_unexpected_and_misshaped_tensors_are_named_in_one_error()
    {
        var weights = TinyModels.Weights(Tiny);
        weights.Remove("blocks.1.attn.proj.bias");
        weights["norm.bias"] = new(new(21), new float[21]);
        weights["extra.weight"] = new(new(1), [1]);
        var path = Write(weights);
        Refused.By(path, () => VitLoader.Load(path, TwoHeads), "blocks.1.attn.proj.bias", "norm.bias", "21, not 20", "extra.weight");
    }

    [Theory]
    [InlineData("blocks.0.norm1.weight"), InlineData("blocks.1.norm1.weight"), InlineData("blocks.1.mlp.fc2.weight"), InlineData("norm.weight")]
    public void One_missing_tensor_is_named_whichever_it_is(string name)
    {
        var weights = TinyModels.Weights(Tiny);
        weights.Remove(name);
        var path = Write(weights);
        Refused.By(path, () => VitLoader.Load(path, TwoHeads), "1 missing", name);
    }

    [Fact]
    public void Class_names_must_be_one_for_each_class()
    {
        var path = Write(TinyModels.Weights(Tiny));
        string[] names = ["a", "b", "c", "d", "e", "f", "gr\u00fcn"];
        Assert.Equal(names, VitLoader.Load(path, TwoHeads with { ClassNames = [.. names] }).ClassNames);
        Refused.By(path, () => VitLoader.Load(path, TwoHeads with { ClassNames = ["a", "b"] }), "2 class names for 7 classes");
        Assert.Empty(VitLoader.Load(path, TwoHeads).ClassNames);
    }

    [Fact]
    public void A_crop_of_another_size_resamples_the_positions()
    {
        var weights = TinyModels.Weights(Tiny);
        var graph = VitLoader.Load(Write(weights), TwoHeads with { Crop = 40 });
        Assert.Equal(Tiny with { ImageSize = 40 }, graph.Architecture);
        var expected = PositionEmbedding.Resample(weights["pos_embed"].Reshape(new(10, 20)), prefixTokens: 1, to: 5);
        Assert.Equal(expected.Values, graph.Embedding.Positions.Values);
        Assert.Equal(new(26, 20), graph.Embedding.Positions.Shape);
        Assert.All(Logits(graph), logit => Assert.True(float.IsFinite(logit)));
    }

    [Theory]
    [InlineData(25, "not a multiple of the patch size 8"), InlineData(4104, "1..4096"), InlineData(0, "1..4096")]
    public void A_crop_that_the_patches_do_not_fill_is_refused(int crop, string words)
    {
        var path = Write(TinyModels.Weights(Tiny));
        Refused.By("--crop", () => VitLoader.Load(path, TwoHeads with { Crop = crop }), words);
    }

    [Fact]
    public void Provenance_names_the_file_and_its_hash()
    {
        var path = Write(TinyModels.Weights(Tiny));
        var provenance = VitLoader.Load(path, TwoHeads).Provenance;
        Assert.Equal("model.pth", provenance.Source);
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path))), provenance.Sha256);
        Assert.Empty(provenance.Steps);
    }

    [Fact]
    public void A_named_architecture_must_be_the_one_in_the_file()
    {
        var small = new VitArchitecture(32, 16, 192, 1, 3, 8, 3);
        var path = CheckpointFiles.Write(_folder, "model.pth", small);
        Assert.Equal(3, VitLoader.Load(path, new(Architecture: "deit_tiny_patch16_224")).Architecture.Heads);
        foreach (var (name, words) in new[] { ("vit_tiny_patch32_224", "patch 32"), ("deit_tiny_distilled_patch16_224", "distillation token True"), ("deit_small_patch16_224", "width 384") })
            Refused.By("--arch " + name, () => VitLoader.Load(path, new(Architecture: name)), words, "width 192, patch 16, distillation token False");
        Refused.By("--arch vit_huge", () => VitLoader.Load(path, new(Architecture: "vit_huge")), "known are", "deit_tiny_patch16_224");
    }

    [Fact]
    public void Heads_come_from_the_caller_then_the_name_then_the_hub_then_the_file_name()
    {
        // 192 channels make 3 heads of 64 unless something else is said.
        var architecture = new VitArchitecture(32, 16, 192, 1, 3, 8, 3);
        var path = CheckpointFiles.Write(_folder, "hub/model.safetensors", architecture);
        Assert.Equal(3, VitLoader.Load(path).Architecture.Heads);
        File.WriteAllText(_folder["hub/config.json"], """{"num_attention_heads": 6}""");
        Assert.Equal(6, VitLoader.Load(path).Architecture.Heads);
        Assert.Equal(3, VitLoader.Load(path, new(Architecture: "deit_tiny_patch16_224")).Architecture.Heads);
        Assert.Equal(12, VitLoader.Load(path, new(Architecture: "deit_tiny_patch16_224", Heads: 12)).Architecture.Heads);
    }
}
