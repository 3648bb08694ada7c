namespace ShiftAddVit.Cli.Tests.Verbs;

public class EvalTests : CommandTests
{
    /// <summary>Four images: labelled with the best class of the first, the second best of the second, the sixth and the seventh.</summary>
    async Task<(string Model, string Data)> Labelled()
    {
        var model = Packed();
        Data(("a.png", 0), ("b.png", 0), ("c.png", 0), ("d.png", 0));
        var rows = new List<string> { "file,class_index" };
        foreach (var (name, rank) in new[] { ("a.png", 0), ("b.png", 1), ("c.png", 5), ("d.png", 6) })
        {
            var best = await Classes(model, Path.Combine(Folder["data"], name));
            rows.Add($"{name},{best.Concat(Enumerable.Range(0, 7).Except(best)).ElementAt(rank)}");
        }
        Write("data/labels.csv", string.Join('\n', rows));
        return (model, Folder["data"]);
    }

    [Fact]
    public async Task Accuracy_is_told_in_per_cent()
    {
        var (model, data) = await Labelled();
        var json = (await Run("eval", model, "--data", data, "--json", "--threads", "3")).Succeeded().Json;
        Assert.Equal("top1 top5 images images_per_second", JsonNames.Of(json));
        Assert.Equal((25.0, 50.0, 4),
            (json.GetProperty("top1").GetDouble(), json.GetProperty("top5").GetDouble(), json.GetProperty("images").GetInt32()));
        Assert.True(json.GetProperty("images_per_second").GetDouble() > 0);
        var line = (await Run("eval", model, "--data", data)).Succeeded().Lines.Single();
        Assert.Matches(@"^top-1 25\.00 %, top-5 50\.00 %, 4 images, [\d.]+ images/s$", line);
    }

    [Theory]
    [InlineData("1", 1, 100)]
    [InlineData("2", 2, 50)]
    [InlineData("99", 4, 25)]
    public async Task Limit_takes_the_first_images(string limit, int images, double top1)
    {
        var (model, data) = await Labelled();
        var json = (await Run("eval", model, "--data", data, "--limit", limit, "--json")).Succeeded().Json;
        Assert.Equal((images, top1), (json.GetProperty("images").GetInt32(), json.GetProperty("top1").GetDouble()));
    }

    [Fact]
    public async Task Class_folders_are_numbered_in_the_order_of_their_names()
    {
        var model = Packed();
        var best = (await Classes(model, Image()))[0];
        for (var i = 0; i <= 6; i++) Directory.CreateDirectory(Folder[$"set/n{i}"]);
        Image($"set/n{best}/cat.png");
        Assert.StartsWith("top-1 100.00 %", (await Run("eval", model, "--data", Folder["set"])).Succeeded().Output);
    }
}
