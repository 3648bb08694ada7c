using System.Text.Json;

namespace ShiftAddVit.Cli.Tests.Verbs;

public class ReparameterizeTests : CommandTests
{
    [Theory]
    [InlineData("dense", null, 0)]
    [InlineData("int8", "S8", 8)]
    [InlineData("shift", "P4", 8)]
    [InlineData("shift2", "P4P4", 8)]
    [InlineData("deepshift", "P5", 8)]
    public async Task Every_linear_format_is_written_and_told(string linear, string? format, int layers)
    {
        var output = Folder["out.savit"];
        var json = (await Run(["reparameterize", Checkpoint(), "-o", output, "--linear", linear, .. Known, "--json"])).Succeeded().Json;
        Assert.Equal("output bytes sha256 seconds changes", JsonNames.Of(json));
        Assert.Equal(new FileInfo(output).Length, json.GetProperty("bytes").GetInt64());
        var linears = json.GetProperty("changes").EnumerateArray().Where(change => change.GetProperty("to").GetString() == format)
            .ToArray();
        Assert.Equal(layers, linears.Length);
        Assert.All(linears, change => Assert.Equal("layer from to relative_error bits_per_weight", JsonNames.Of(change)));
        var inspected = (await Run("inspect", output, "--json")).Succeeded().Json;
        Assert.Equal(json.GetProperty("sha256").GetString(), inspected.GetProperty("sha256").GetString());
        Assert.Equal(format ?? "F32", Format(inspected, "mlp.fc1"));
    }

    [Fact]
    public async Task Two_shifts_are_the_default_and_the_table_lists_every_layer()
    {
        var lines = (await Run(["reparameterize", Checkpoint(), "-o", Folder["out.savit"], .. Known])).Succeeded().Lines;
        foreach (var layer in (string[])["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"])
            Assert.Contains(lines, line =>
                line.Contains($"blocks.1.{layer} ", StringComparison.Ordinal) && line.Contains("P4P4", StringComparison.Ordinal));
        Assert.Contains(Folder["out.savit"] + ": ", lines[^1]);
        Assert.All(lines, line => Assert.Equal(line.TrimEnd(), line));
    }

    [Theory]
    [InlineData("nearest")]
    [InlineData("gptq")]
    public async Task Two_runs_write_identical_bytes_whatever_the_threads(string method)
    {
        string[] gptq = method == "gptq" ? ["--calibrate", Data(("a.png", 0), ("b.png", 1), ("c.png", 2))] : [];
        var checkpoint = Checkpoint();
        foreach (var threads in (string[])["1", "3"])
            await Run(["reparameterize", checkpoint, "-o", Folder[threads], "--linear", "shift", "--method", method, "--threads", threads,
                .. gptq, .. Known]);
        Assert.Equal(File.ReadAllBytes(Folder["1"]), File.ReadAllBytes(Folder["3"]));
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("shift")]
    [InlineData("shift2")]
    [InlineData("deepshift")]
    public async Task Sample_images_change_the_rounding(string linear)
    {
        var (checkpoint, data) = (Checkpoint(), Data(("a.png", 0), ("b.png", 1)));
        (await Run(["reparameterize", checkpoint, "-o", Folder["nearest"], "--linear", linear, .. Known])).Succeeded();
        (await Run(["reparameterize", checkpoint, "-o", Folder["gptq"], "--linear", linear, "--method", "gptq", "--calibrate", data,
            .. Known])).Succeeded();
        Assert.NotEqual(File.ReadAllBytes(Folder["nearest"]), File.ReadAllBytes(Folder["gptq"]));
        var steps = (await Run("inspect", Folder["gptq"], "--json")).Json.GetProperty("steps").EnumerateArray()
            .Select(step => step.GetString()!);
        Assert.Contains(steps, step => step.EndsWith(" gptq", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Calibrate_count_takes_that_many_evenly_spaced_over_the_list()
    {
        var (checkpoint, data) = (Checkpoint(), Data(("a.png", 0), ("b.png", 0), ("c.png", 0), ("d.png", 0)));
        string[] gptq = ["--linear", "shift", "--method", "gptq", .. Known, "--calibrate"];
        (await Run(["reparameterize", checkpoint, "-o", Folder["counted"], .. gptq, data, "--calibrate-count", "2"])).Succeeded();
        Write("data/labels.csv", "file,class_index\na.png,0\nc.png,0\n");
        (await Run(["reparameterize", checkpoint, "-o", Folder["listed"], .. gptq, data, "--calibrate-count", "9"])).Succeeded();
        Write("data/labels.csv", "file,class_index\na.png,0\nb.png,0\n");
        (await Run(["reparameterize", checkpoint, "-o", Folder["others"], .. gptq, data])).Succeeded();
        Assert.Equal(File.ReadAllBytes(Folder["listed"]), File.ReadAllBytes(Folder["counted"]));
        Assert.NotEqual(File.ReadAllBytes(Folder["others"]), File.ReadAllBytes(Folder["counted"]));
    }

    [Fact]
    public async Task Options_stay_with_the_model()
    {
        var names = Write("names.txt", "cat\r\ndog \nant\nbee\ncow\nelk\nfox\n\n \n");
        (await Run(["reparameterize", Checkpoint(), "-o", Folder["out.savit"], .. Known, "--resize", "30", "--class-names", names]))
            .Succeeded();
        var json = (await Run("inspect", Folder["out.savit"], "--json")).Json;
        Assert.Equal(30, json.GetProperty("preprocessing").GetProperty("resize").GetInt32());
        Assert.True(json.GetProperty("class_names").GetBoolean());
    }

    [Fact]
    public async Task A_dense_packed_model_is_an_input_too_and_a_quantised_one_is_refused()
    {
        var dense = Packed();
        (await Run("reparameterize", dense, "-o", Folder["shift.savit"], "--linear", "shift")).Succeeded();
        await Refuses(1, ["blocks.0.attn.qkv is P4 already"], "reparameterize", Folder["shift.savit"], "-o", Folder["again.savit"]);
    }

    [Fact]
    public async Task An_output_that_exists_is_replaced()
    {
        Write("out.savit", "old");
        (await Run(["reparameterize", Checkpoint(), "-o", Folder["out.savit"], .. Known])).Succeeded();
        (await Run("inspect", Folder["out.savit"])).Succeeded();
    }

    static string Format(JsonElement inspected, string layer) => inspected.GetProperty("model").GetProperty("children").EnumerateArray()
        .SelectMany(part => part.GetProperty("children").EnumerateArray())
        .First(leaf => leaf.GetProperty("name").GetString() == layer).GetProperty("format").GetString()!;
}
