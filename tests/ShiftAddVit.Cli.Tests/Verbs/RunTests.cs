using System.Text.Json;

namespace ShiftAddVit.Cli.Tests.Verbs;

public class RunTests : CommandTests
{
    [Fact]
    public async Task The_five_best_classes_are_listed_with_their_names()
    {
        var model = Packed(classNames: ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]);
        var lines = (await Run("run", model, Image())).Succeeded().Lines;
        Assert.Equal(6, lines.Length);
        Assert.Equal(Folder["cat.png"], lines[0]);
        Assert.All(lines[1..], line => Assert.Matches(@"^ +\d+\.\d %  [a-z]{3}$", line));
    }

    [Fact]
    public async Task Json_tells_class_name_probability_and_logit()
    {
        var json = (await Run("run", Packed(), Image(), "--json")).Succeeded().Json;
        Assert.Equal("results", JsonNames.Of(json));
        var image = json.GetProperty("results")[0];
        Assert.Equal("image top", JsonNames.Of(image));
        Assert.Equal("class_index class_name probability logit", JsonNames.Of(image.GetProperty("top")[0]));
        var probabilities = image.GetProperty("top").EnumerateArray().Select(top => top.GetProperty("probability").GetDouble()).ToArray();
        Assert.Equal(probabilities.OrderDescending(), probabilities);
    }

    [Fact]
    public async Task A_checkpoint_runs_as_its_packed_model_does()
    {
        var (checkpoint, image) = (Checkpoint(), Image());
        (await Run(["reparameterize", checkpoint, "-o", Folder["dense.savit"], "--linear", "dense", .. Known, "--resize", "none"]))
            .Succeeded();
        var direct = (await Run(["run", checkpoint, image, .. Known, "--resize", "none"])).Succeeded();
        Assert.Equal((await Run("run", Folder["dense.savit"], image)).Succeeded().Output, direct.Output);
    }

    [Fact]
    public async Task An_image_that_cannot_be_used_does_not_keep_the_others_from_being_classified()
    {
        var (model, good, bad, last) = (Packed(), Image("a.png"), Write("bad.jpg", "hello"), Image("z.webp", 40, 30));
        var result = await Run("run", model, good, bad, last);
        Assert.Equal(CommandLine.BadInput, result.ExitCode);
        Assert.Equal(12, result.Lines.Length);
        Assert.Single(result.Error.TrimEnd().Split('\n'));
        Assert.StartsWith($"shiftadd: {bad}: ", result.Error);
        var json = await Run("run", model, good, bad, last, "--json");
        Assert.Equal(CommandLine.BadInput, json.ExitCode);
        Assert.Equal(
            [good, last], json.Json.GetProperty("results").EnumerateArray().Select(image => image.GetProperty("image").GetString()!));
    }

    [Fact]
    public async Task Neither_batch_mates_nor_threads_change_an_image()
    {
        var (model, a, b) = (Packed(), Image("a.png"), Image("b.png", seed: 2));
        var alone = (await Run("run", model, b, "--threads", "1")).Succeeded().Output;
        Assert.EndsWith(alone, (await Run("run", model, a, b, "--threads", "3")).Succeeded().Output);
        Assert.NotEqual(alone.Split('\n')[1..], (await Run("run", model, a)).Lines[1..]);
    }

    [Fact]
    public async Task Resize_none_takes_the_centre_as_it_is()
    {
        var (model, wide) = (Packed(), TinyImages.Pixels(30, 26, seed: 3));
        var crop = new byte[Side * Side * 3];
        for (var y = 0; y < Side; y++) wide.AsSpan(((y + 1) * 30 + 3) * 3, Side * 3).CopyTo(crop.AsSpan(y * Side * 3));
        TinyImages.Write(Folder["wide.png"], 30, 26, wide);
        TinyImages.Write(Folder["crop.png"], Side, Side, crop);
        var cropped = await Top(model, "crop.png", "--resize", "none");
        Assert.Equal(cropped, await Top(model, "wide.png", "--resize", "none"));
        Assert.NotEqual(cropped, await Top(model, "wide.png", "--resize", "24"));
    }

    [Fact]
    public async Task A_file_after_two_dashes_may_begin_with_one() =>
        (await Run("run", Packed(), "--", "-cat.png")).Refused(CommandLine.BadInput, "-cat.png: no such file");

    [Fact]
    public async Task A_name_that_begins_with_an_at_sign_is_a_file_and_no_list_of_words() =>
        (await Run("run", Packed(), "@cat.png")).Refused(CommandLine.BadInput, "@cat.png: no such file");

    async Task<string> Top(string model, string image, params string[] options) =>
        JsonSerializer.Serialize(
            (await Run(["run", model, Folder[image], "--json", .. options])).Succeeded().Json.GetProperty("results")[0].GetProperty("top"));
}
