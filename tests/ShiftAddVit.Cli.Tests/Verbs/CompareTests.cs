using System.Text.RegularExpressions;
using ShiftAddVit.Packing;

namespace ShiftAddVit.Cli.Tests.Verbs;

public class CompareTests : CommandTests
{
    [Fact]
    public async Task A_model_does_not_differ_from_itself()
    {
        var (model, image) = (Packed(), Image());
        var json = (await Run("compare", model, model, "--image", image, "--json")).Succeeded().Json;
        Assert.Equal("first second differences first_top second_top", JsonNames.Of(json));
        Assert.All(json.GetProperty("differences").EnumerateArray(), difference =>
        {
            Assert.Equal("kind layer relative_error max_difference cosine", JsonNames.Of(difference));
            Assert.Equal(0, difference.GetProperty("relative_error").GetDouble());
        });
    }

    [Fact]
    public async Task A_checkpoint_and_its_shifts_are_compared_layer_by_layer()
    {
        var (checkpoint, image) = (Checkpoint(), Image());
        (await Run(["reparameterize", checkpoint, "-o", Folder["shift.savit"], "--linear", "shift", .. Known])).Succeeded();
        var lines = (await Run(["compare", checkpoint, Folder["shift.savit"], "--image", image, .. Known])).Succeeded().Lines;
        foreach (var row in (string[])["residual +blocks.0", "linear input +blocks.1.mlp.fc2", "logits +logits"])
            Assert.Contains(lines, line => Regex.IsMatch(line, $"^ *{row} +0\\.[0-9]*[1-9]"));
        Assert.StartsWith("tiny.safetensors: ", lines[^2]);
        Assert.StartsWith("shift.savit: ", lines[^1]);
    }

    [Fact]
    public async Task Models_of_different_shape_are_refused()
    {
        PackedModel.Pack(TinyModels.Create(TinyModels.Architecture with { Depth = 1 })).Save(Folder["other.savit"]);
        await Refuses(1, ["differ in shape"], "compare", Packed(), Folder["other.savit"], "--image", Image());
    }
}
