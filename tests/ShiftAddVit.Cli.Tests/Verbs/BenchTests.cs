using ShiftAddVit.Inference;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Reports;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Cli.Tests.Verbs;

public class BenchTests : CommandTests
{
    const string Alone = "engine model batch threads median_ms min_ms max_ms spread calls";

    static string Onnx(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name + ".onnx");

    [Fact]
    public async Task Every_combination_is_a_row()
    {
        var json = (await Run("bench", Packed(), "--batch", "1,2", "--threads", "1,2", "--seconds", "1", "--json")).Succeeded().Json;
        Assert.Equal("results", JsonNames.Of(json));
        var rows = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.All(rows, row => Assert.Equal(Alone, JsonNames.Of(row)));
        Assert.All(rows, row => Assert.Equal("shiftadd tiny.savit", $"{row.GetProperty("engine")} {row.GetProperty("model")}"));
        Assert.Equal(["1 1", "1 2", "2 1", "2 2"], rows.Select(row => $"{row.GetProperty("batch")} {row.GetProperty("threads")}"));
        Assert.All(rows, row => Assert.InRange(
            row.GetProperty("median_ms").GetDouble(), row.GetProperty("min_ms").GetDouble(), row.GetProperty("max_ms").GetDouble()));
    }

    [Fact]
    public async Task The_budget_adds_up_and_names_only_work_that_was_done()
    {
        var quantised = Folder["shift.savit"];
        PackedModel.Pack(LinearPass.Apply(TinyModels.Create(), WeightFormat.P4).Graph).Save(quantised);
        var works = await Works(quantised);
        Assert.Contains("Softmax", works);
        Assert.Contains("QuantizeHeads", works);
        // In float32 nothing is quantised but the rows that enter a layer.
        Assert.DoesNotContain("QuantizeHeads", await Works(quantised, "--exact"));
        Assert.Matches("Softmax +[0-9.]+ +[0-9.]+ ?%", (await Run("bench", Packed(), "--seconds", "1", "--budget")).Succeeded().Output);
    }

    static async Task<string[]> Works(params string[] arguments)
    {
        var json = (await Run(["bench", .. arguments, "--seconds", "1", "--budget", "--json"])).Succeeded().Json;
        var parts = json.GetProperty("budget").EnumerateArray().ToArray();
        Assert.InRange(parts.Sum(part => part.GetProperty("share").GetDouble()), 0.999, 1.001);
        // Floors are those of the default form, where both peaks can be measured.
        var hasFloors = json.TryGetProperty("peak_byte_products", out _) && !arguments.Contains("--exact");
        Assert.All(parts, part => Assert.Equal(hasFloors, part.TryGetProperty("floor_ms", out var floor) && floor.GetDouble() >= 0));
        return [.. parts.Select(part => part.GetProperty("work").GetString()!)];
    }

    [Fact]
    public async Task A_checkpoint_whose_preprocessing_is_unknown_can_be_timed()
    {
        var lines = (await Run("bench", Checkpoint(), "--heads", "2", "--seconds", "1")).Succeeded().Lines;
        Assert.Equal(3, lines.Length);
        Assert.Matches(@"^ *engine +model +batch +threads +median ms +min ms +max ms +spread +images/s$", lines[0]);
        Assert.Matches(@"^ *shiftadd +tiny\.safetensors +1 +1 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ % +[\d.]+$", lines[2]);
    }

    [Fact]
    public async Task Every_file_is_timed_beside_the_model_in_every_combination()
    {
        var model = Packed();
        var json = (await Run(
            "bench", model, "--batch", "1,3", "--threads", "1,2", "--seconds", "1", "--cold", "--json",
            "--against", Onnx("linear"), "--against", Onnx("linear"))).Succeeded().Json;
        var rows = json.GetProperty("results").EnumerateArray().ToArray();
        foreach (var (rounds, i) in rows.Chunk(3).Zip(["1 1", "1 2", "3 1", "3 2"]))
        {
            Assert.All(rounds, row => Assert.Equal(i, $"{row.GetProperty("batch")} {row.GetProperty("threads")}"));
            Assert.Equal(
                ["shiftadd tiny.savit", "onnxruntime linear.onnx", "onnxruntime linear.onnx"],
                rounds.Select(row => $"{row.GetProperty("engine")} {row.GetProperty("model")}"));
            Assert.Single(rounds.Select(row => row.GetProperty("calls").GetInt32()).Distinct());
            Assert.Equal(Alone, JsonNames.Of(rounds[0]));
            foreach (var other in rounds[1..])
            {
                Assert.Equal($"{Alone} ratio max_logit_difference logit_difference_share", JsonNames.Of(other));
                var ratio = other.GetProperty("median_ms").GetDouble() / rounds[0].GetProperty("median_ms").GetDouble();
                Assert.Equal(ratio, other.GetProperty("ratio").GetDouble(), 1e-9);
            }
        }
        Assert.Equal(12, rows.Length);
    }

    [Fact]
    public async Task The_logit_difference_is_that_of_the_same_images()
    {
        var json = (await Run("bench", Packed(), "--seconds", "1", "--json", "--against", Onnx("linear"))).Succeeded().Json;
        var images = LatencyBenchmark.RandomImages(TinyModels.Architecture, 1);
        var sum = Enumerable.Range(0, 3).Sum(c => (c + 1) * (double)images.AsSpan(c * Side * Side, Side * Side).ToArray().Average());
        using var model = CompiledModel.Compile(TinyModels.Create());
        using var session = model.CreateSession();
        var ours = session.Run(images, 1);
        var expected = ours.Select((logit, k) => Math.Abs(logit - sum * (k - 3))).Max();
        var row = json.GetProperty("results")[1];
        Assert.Equal(expected, row.GetProperty("max_logit_difference").GetDouble(), 1e-5);
        Assert.Equal(expected / (ours.Max() - ours.Min()), row.GetProperty("logit_difference_share").GetDouble(), 1e-5);
    }

    [Fact]
    public async Task The_table_compares_each_file_with_ours()
    {
        var lines = (await Run("bench", Packed(), "--seconds", "1", "--against", Onnx("linear"))).Succeeded().Lines;
        Assert.Matches(@"images/s +time / ours +logits differ by$", lines[0]);
        Assert.Matches(@"^ *shiftadd +tiny\.savit .* 1\.00 +-$", lines[2]);
        Assert.Matches(@"^ *onnxruntime +linear\.onnx .* [\d.]+ +[\d.E-]+ \([\d.,]+ % of range\)$", lines[3]);
    }

    [Theory]
    [InlineData("fixed_batch", "fixed batch of 1, not 2")]
    [InlineData("other_size", "[?,3,32,32]")]
    [InlineData("other_classes", "[?,5]")]
    [InlineData("failing", "ONNX Runtime fails")]
    [InlineData("absent", "no such file")]
    public async Task A_file_that_cannot_be_compared_is_named(string name, string problem) => await Refuses(
        CommandLine.BadInput, [Onnx(name), problem],
        "bench", Packed(), "--batch", "1,2", "--against", Onnx("linear"), "--against", Onnx(name), "--seconds", "1");

    [Fact]
    public async Task A_file_of_something_else_is_named()
    {
        var model = Packed();
        await Refuses(CommandLine.BadInput, [model, "is no model that ONNX Runtime can run"], "bench", model, "--against", model);
        var text = Write("text.onnx", "These are not the weights you are looking for.");
        await Refuses(CommandLine.BadInput, [text, "is no model that ONNX Runtime can run"], "bench", model, "--against", text);
    }
}
