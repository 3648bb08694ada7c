namespace ShiftAddVit.Cli.Tests.Verbs;

public class InspectTests : CommandTests
{
    [Fact]
    public async Task A_packed_model_is_shown_as_a_tree()
    {
        var lines = (await Run("inspect", Packed())).Succeeded().Lines;
        Assert.StartsWith("tiny.savit: packed, ", lines[0]);
        Assert.Contains("made from tiny.safetensors", lines);
        Assert.Contains(
            lines, line => line.StartsWith("images: crop 24, mean 0.485 0.456 0.406, std 0.229 0.224 0.225", StringComparison.Ordinal));
        Assert.Contains("class names: none", lines);
        Assert.Contains(
            lines, line => line.Contains("attn.qkv", StringComparison.Ordinal) && line.Contains("60x20", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_checkpoint_is_shown_with_what_the_options_say()
    {
        var json = (await Run(["inspect", Checkpoint(), .. Known, "--json"])).Succeeded().Json;
        Assert.Equal("file stage bytes sha256 architecture preprocessing class_names source steps model", JsonNames.Of(json));
        Assert.Equal("checkpoint", json.GetProperty("stage").GetString());
        Assert.Equal(
            "image_size patch_size tokens width depth heads mlp_width classes qkv_bias distillation_token",
            JsonNames.Of(json.GetProperty("architecture")));
        Assert.Equal(10, json.GetProperty("architecture").GetProperty("tokens").GetInt32());
        Assert.Equal("resize crop mean std", JsonNames.Of(json.GetProperty("preprocessing")));
        Assert.Equal(0.5f, json.GetProperty("preprocessing").GetProperty("mean")[2].GetSingle());
        Assert.Equal("name shape format bytes children", JsonNames.Of(json.GetProperty("model")));
    }

    [Fact]
    public async Task A_checkpoint_that_does_not_say_its_preprocessing_is_shown_with_the_cure()
    {
        var result = (await Run("inspect", Checkpoint(), "--heads", "2")).Succeeded();
        Assert.Contains("images: pre-processing unknown (--arch, or --mean and --std)", result.Lines);
        Assert.Contains("\"preprocessing\": null", (await Run("inspect", Checkpoint(), "--heads", "2", "--json")).Output);
    }

    [Fact]
    public async Task Another_crop_moves_the_positions()
    {
        var json = (await Run(["inspect", Checkpoint(), .. Known, "--crop", "40", "--json"])).Succeeded().Json;
        Assert.Equal(26, json.GetProperty("architecture").GetProperty("tokens").GetInt32());
        Assert.Equal(40, json.GetProperty("preprocessing").GetProperty("crop").GetInt32());
    }
}
