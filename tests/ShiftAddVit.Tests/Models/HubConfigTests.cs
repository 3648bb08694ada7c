using ShiftAddVit.Models;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Models;

public sealed class HubConfigTests : IDisposable
{
    const string Timm = """
        {
          "architecture": "vit_tiny_patch16_224", "num_classes": 3, "num_features": 192,
          "pretrained_cfg": {
            "tag": "some", "input_size": [3, 32, 32], "fixed_input_size": true, "interpolation": "bicubic", "crop_pct": 0.9,
            "crop_mode": "center", "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "label_descriptions": null
          }
        }
        """;

    const string HuggingFace = """
        {
          "architectures": ["ViTForImageClassification"], "hidden_size": 192, "image_size": 32, "layer_norm_eps": 1e-05,
          "num_attention_heads": 6, "id2label": {"1": "dog", "0": "cat", "2": "\u00e9toile"}
        }
        """;

    static readonly VitArchitecture Architecture = new(32, 16, 192, 1, 3, 8, 3);

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string Hub(string? config = null, string? preprocessor = null, string file = "model.safetensors")
    {
        var path = CheckpointFiles.Write(_folder, file, TinyModels.Weights(Architecture));
        if (config is not null) File.WriteAllText(_folder["config.json"], config);
        if (preprocessor is not null) File.WriteAllText(_folder["preprocessor_config.json"], preprocessor);
        return path;
    }

    [Theory]
    [InlineData("model.safetensors"), InlineData("pytorch_model.bin")]
    public void The_layout_of_timm_tells_the_pre_processing(string file)
    {
        var graph = VitLoader.Load(Hub(Timm, file: file));
        // timm rounds 32 / 0.9 = 35.6 down.
        Assert.Equal(new(35, 32, [0.1f, 0.2f, 0.3f], [0.4f, 0.5f, 0.6f]), graph.Preprocessing);
        Assert.Equal(3, graph.Architecture.Heads);
        Assert.Empty(graph.ClassNames);
    }

    [Fact]
    public void The_older_layout_of_timm_has_no_inner_object()
    {
        var config = """{"architecture": "x", "input_size": [3, 32, 32], "crop_pct": 1.0, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}""";
        Assert.Equal(new(32, 32, [0.1f, 0.2f, 0.3f], [0.4f, 0.5f, 0.6f]), VitLoader.Load(Hub(config)).Preprocessing);
    }

    [Fact]
    public void The_name_in_the_layout_of_timm_is_enough() =>
        Assert.Equal(Preprocessing.Half, VitLoader.Load(Hub("""{"architecture": "vit_tiny_patch16_224"}""")).Preprocessing!.Mean);

    [Fact]
    public void The_layout_of_Hugging_Face_tells_heads_epsilon_and_classes()
    {
        var graph = VitLoader.Load(Hub(HuggingFace));
        Assert.Equal((6, 1e-5f), (graph.Architecture.Heads, graph.Architecture.LayerNormEpsilon));
        Assert.Equal(["cat", "dog", "\u00e9toile"], graph.ClassNames);
        Assert.Null(graph.Preprocessing);
    }

    [Theory]
    [InlineData("""{"size": {"height": 32, "width": 32}, "resample": 3, "crop_size": 32, "do_center_crop": true, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}""", 32)]
    [InlineData("""{"size": 40, "resample": 3, "crop_size": 32, "do_center_crop": true, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}""", 40)]
    [InlineData("""{"size": {"shortest_edge": 36}, "resample": 3, "rescale_factor": 0.00392156862745098, "crop_size": {"height": 32, "width": 32}, "do_center_crop": true, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}""", 36)]
    public void The_layouts_of_a_Hugging_Face_preprocessor_tell_the_sides(string json, int resize) =>
        Assert.Equal(new(resize, 32, [0.1f, 0.2f, 0.3f], [0.4f, 0.5f, 0.6f]), VitLoader.Load(Hub(HuggingFace, json)).Preprocessing);

    [Theory]
    [InlineData(""" "resample": 2, "do_center_crop": true """), InlineData(""" "do_center_crop": true """), InlineData(""" "resample": 3 """)]
    [InlineData(""" "resample": 3, "do_center_crop": true, "do_normalize": false """)]
    [InlineData(""" "resample": 3, "do_center_crop": true, "do_resize": false """)]
    [InlineData(""" "resample": 3, "do_center_crop": true, "rescale_factor": 0.0078 """)]
    public void A_preparation_that_is_not_offered_counts_as_unknown(string members)
    {
        var json = $$"""{"size": 40, "crop_size": 32, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], {{members}}}""";
        Assert.Null(VitLoader.Load(Hub(HuggingFace, json)).Preprocessing);
    }

    [Theory]
    [InlineData("""{"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 32, 32], "interpolation": "bilinear"}}""")]
    [InlineData("""{"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "input_size": [3, 32, 32], "crop_mode": "squash"}}""")]
    public void Another_interpolation_or_crop_of_timm_counts_as_unknown(string json) => Assert.Null(VitLoader.Load(Hub(json)).Preprocessing);

    [Fact]
    public void Class_names_of_the_caller_come_first() =>
        Assert.Equal(["x", "y", "z"], VitLoader.Load(Hub(HuggingFace), new(ClassNames: ["x", "y", "z"])).ClassNames);

    [Theory]
    [InlineData("weights.safetensors"), InlineData("model.pth"), InlineData("Model.safetensors")]
    public void Configurations_are_read_beside_the_names_of_hubs_only(string file)
    {
        var graph = VitLoader.Load(Hub("not JSON at all", "{", file));
        Assert.Null(graph.Preprocessing);
        Assert.Equal(3, graph.Architecture.Heads);
    }

    [Theory]
    [InlineData("not JSON"), InlineData(""), InlineData("[1, 2]"), InlineData("""{"architecture": 5}"""), InlineData("""{"num_attention_heads": "six"}""")]
    [InlineData("""{"num_attention_heads": 99999999999}"""), InlineData("""{"layer_norm_eps": []}"""), InlineData("""{"id2label": ["a"]}""")]
    [InlineData("""{"id2label": {"0": "a", "2": "b"}}"""), InlineData("""{"id2label": {"99999999999": "a"}}"""), InlineData("""{"id2label": {"x": "a"}}""")]
    [InlineData("""{"pretrained_cfg": 5}"""), InlineData("""{"pretrained_cfg": {"input_size": []}}"""), InlineData("""{"pretrained_cfg": {"mean": 0.5}}""")]
    [InlineData("""{"pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": "all"}}""")]
    public void Configurations_that_cannot_be_used_are_refused_in_one_line(string json)
    {
        var path = Hub(json);
        Refused.By(_folder["config.json"], () => VitLoader.Load(path), "not a model configuration");
    }

    [Theory]
    [InlineData("""{"size": "big"}"""), InlineData("""{"do_center_crop": 1}"""), InlineData("""{"image_mean": ["a"]}"""), InlineData("\"text\"")]
    public void Preprocessor_configurations_that_cannot_be_used_are_refused_in_one_line(string json)
    {
        var path = Hub(null, json);
        Refused.By(_folder["preprocessor_config.json"], () => VitLoader.Load(path), "not a model configuration");
    }

    [Theory]
    [InlineData("""{"input_size": [3, 32, 32], "crop_pct": 0, "mean": [0, 0, 0], "std": [1, 1, 1]}""", "resize")]
    [InlineData("""{"input_size": [3, 32, 32], "crop_pct": -1, "mean": [0, 0, 0], "std": [1, 1, 1]}""", "resize -32")]
    [InlineData("""{"input_size": [3, 32, 0], "mean": [0, 0, 0], "std": [1, 1, 1]}""", "resize")]
    [InlineData("""{"input_size": [3, 32, 32], "mean": [0, 0], "std": [1, 1, 1]}""", "mean")]
    [InlineData("""{"input_size": [3, 32, 32], "mean": [0, 0, 1e60], "std": [1, 1, 1]}""", "mean")]
    [InlineData("""{"input_size": [3, 32, 32], "mean": [0, 0, 0], "std": [1, 0, 1]}""", "std")]
    [InlineData("""{"layer_norm_eps": 0}""", "epsilon"), InlineData("""{"num_attention_heads": 5}""", "5 heads")]
    [InlineData("""{"id2label": {"0": "a"}}""", "1 class names for 3 classes")]
    public void Numbers_that_cannot_be_used_are_refused_in_one_line(string json, string words)
    {
        var path = Hub(json);
        Refused.By(path, () => VitLoader.Load(path), words);
    }

    [Fact]
    public void A_configuration_too_large_to_be_one_is_refused()
    {
        var path = Hub();
        using (var file = File.Create(_folder["config.json"])) file.SetLength((16 << 20) + 1);
        Refused.By(_folder["config.json"], () => VitLoader.Load(path), "larger than 16777216 bytes");
    }
}
