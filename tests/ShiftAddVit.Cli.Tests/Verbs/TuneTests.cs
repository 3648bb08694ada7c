using System.Text.Json;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Cli.Tests.Verbs;

/// <summary>The cache belongs to the process: these tests do not run beside others that compile models.</summary>
[Collection(nameof(TuneTests))]
[CollectionDefinition(nameof(TuneTests), DisableParallelization = true)]
public class TuneTests : CommandTests
{
    const string Variable = "SHIFTADD_CACHE";

    string CacheFolder => Folder["cache"];

    string CacheFile => Path.Combine(CacheFolder, "tuning.json");

    async Task<CommandResult> RunCached(params string[] args)
    {
        var before = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(Variable, CacheFolder);
        try { return await Run(args); }
        finally { Environment.SetEnvironmentVariable(Variable, before); }
    }

    async Task<string> Shifts()
    {
        var path = Folder["shift.savit"];
        (await Run(["reparameterize", Checkpoint(), "-o", path, "--linear", "shift", .. Known])).Succeeded();
        return path;
    }

    [Fact]
    public async Task Every_shape_gets_a_pick_that_is_kept_and_used()
    {
        var model = await Shifts();
        var json = (await RunCached("tune", model, "--threads", "1,2", "--json")).Succeeded().Json;
        Assert.Equal("model cache results", JsonNames.Of(json));
        Assert.Equal(("shift.savit", CacheFile), ($"{json.GetProperty("model")}", $"{json.GetProperty("cache")}"));
        var rows = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.All(rows, row => Assert.Equal("subject pick pick_us runner_up runner_up_us static static_us gain_percent", JsonNames.Of(row)));
        Assert.Equal(
            ["S8 24x192x20", "F32 24x192x20", "P4 24x20x60 heads of 10", "P4 24x20x20 residual", "P4 24x20x37 gelu", "P4 24x37x20 residual", "F32 1x20x7",
                "S8 24x10x10 sums", "S8 24x12x10", "F32 24x10x10",
                "P4 10x20x37, 1 thread, 1 image", "P4 10x20x37, 1 thread, 8 images",
                "P4 10x20x37, 2 threads, 1 image", "P4 10x20x37, 2 threads, 8 images",
                "attention of 10 tokens, 2x10, 1 thread", "attention of 10 tokens, 2x10, 2 threads"],
            rows.Select(row => $"{row.GetProperty("subject")}"));
        Assert.All(rows, row => Assert.InRange(row.GetProperty("pick_us").GetDouble(), double.Epsilon, row.GetProperty("static_us").GetDouble()));
        Assert.All(rows, row => Assert.InRange(row.GetProperty("gain_percent").GetDouble(), 0, double.MaxValue));

        var kept = JsonDocument.Parse(File.ReadAllText(CacheFile)).RootElement;
        Assert.Equal(
            rows.Take(10).Select(row => $"{row.GetProperty("pick")}").Order(),
            kept.GetProperty("shapes").EnumerateArray().Select(entry => $"{entry.GetProperty("kernel")}").Order());
        Assert.Equal($"10 kernels, 4 row blocks and 2 splits of attention in {CacheFile}",
            $"{(await RunCached("doctor", "--json")).Succeeded().Json.GetProperty("tuning")}");
        var image = Image();
        Assert.Equal((await Run("run", model, image)).Succeeded().Output, (await RunCached("run", model, image)).Succeeded().Output);
    }

    [Fact]
    public async Task The_table_says_where_the_choices_are()
    {
        var lines = (await RunCached("tune", Packed(), "--threads", "1")).Succeeded().Lines;
        Assert.Matches(@"^ *shape +pick +us +runner-up +us +gain, %$", lines[0]);
        Assert.Matches(@"^ *F32 24x192x20 +MatMul_F32F32F32_\w+ +[\d.]+ +MatMul_F32F32F32_\w+ +[\d.]+ +[\d.]+$", lines[2]);
        Assert.Equal($"kept in {CacheFile}", lines[^1]);
    }

    /// <summary>The scalar reference, which is many times slower than anything else, as if tuned: no noise hides that.</summary>
    [Fact]
    public async Task A_pick_that_is_slower_than_the_fastest_fails_an_assertion_in_one_line()
    {
        string[] check = ["kernels", "--shape", "31,192,192", "--assert", "100", "--json"];
        (await RunCached(check)).Succeeded();
        Assert.SkipWhen(KernelRegistry.Default.Choose(Operation.MatShift, WeightFormat.P4).Name.Isa == KernelIsa.Reference, "no vectors here");
        // Tuned for blocks of rows, and run on any number of them.
        var shape = new LinearShape(WeightFormat.P4, 24, 192, 192, LinearOutput.Residual);
        Assert.True(KernelName.TryParse("MatShift_U8P4I32_1x1_Reference", out var slow));
        new TuningCache(CacheFolder).Write(
            KernelRegistry.Default, TunedChoices.None with { Kernels = TunedChoices.None.Kernels.Add(shape, slow) });
        var result = await RunCached(check);
        Assert.Equal(CommandLine.BadInput, result.ExitCode);
        Assert.Matches(@"^shiftadd: P4 31x192x192 residual: MatShift_U8P4I32_1x1_Reference is [\d.]+ % slower than MatShift_\w+; allowed: 100 %\s*$", result.Error);
        var lines = (await RunCached("kernels", "--shape", "31,192,192")).Succeeded().Lines;
        Assert.Single(lines, line => line.TrimStart(' ', '*').StartsWith("MatShift_U8P4I32_1x1_Reference ", StringComparison.Ordinal) && line.Contains('*'));
        Assert.Single(lines, line => line.Contains("P4 31x192x192 residual ", StringComparison.Ordinal) && line.Contains(" MatShift_U8P4I32_1x1_Reference ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_cache_nothing_is_kept()
    {
        var model = await Shifts();
        var before = Files();
        Assert.Equal("not kept: SHIFTADD_CACHE says so", (await Run("tune", model)).Succeeded().Lines[^1]);
        var json = (await Run("tune", model, "--json")).Succeeded().Json;
        Assert.Equal(JsonValueKind.Null, json.GetProperty("cache").ValueKind);
        // Unless told otherwise for one thread and for as many as commands use.
        var chains = new[] { 1, Knobs.Threads }.Distinct().SelectMany(threads => (string[])["1 image", "8 images"], (threads, images) =>
            $"P4 10x20x37, {threads} thread{(threads == 1 ? "" : "s")}, {images}");
        var subjects = json.GetProperty("results").EnumerateArray().Select(row => $"{row.GetProperty("subject")}");
        Assert.Equal(chains, subjects.Where(subject => subject.StartsWith("P4 10x20x37, ", StringComparison.Ordinal)));
        Assert.Equal("nothing is kept (SHIFTADD_CACHE)", $"{(await Run("doctor", "--json")).Succeeded().Json.GetProperty("tuning")}");
        Assert.Equal(before, Files());
    }

    [Theory]
    [InlineData("SHIFTADD_MAX_ISA", "vector128", "Vector512")]
    [InlineData("SHIFTADD_GENERATED_CODE", "off", "Avx")]
    public async Task What_is_best_of_some_kernels_is_not_kept(string knob, string value, string without)
    {
        using var process = ChildProcess.Start(["tune", Packed(), "--threads", "1"], (Variable, CacheFolder), (knob, value));
        var lines = (await process.Finish()).Succeeded().Lines;
        Assert.Equal("not kept: SHIFTADD_MAX_ISA, SHIFTADD_KERNEL or SHIFTADD_GENERATED_CODE leaves kernels out", lines[^1]);
        Assert.All(lines[2..^1], line => Assert.DoesNotContain(without, line));
        Assert.False(File.Exists(CacheFile));
    }

    /// <summary>The runtime's own switch: no knob of ours says that kernels are left out.</summary>
    [Fact]
    public async Task What_was_tuned_without_AVX_512_is_not_used_with_it()
    {
        Assert.SkipUnless(KernelRegistry.Default.All.Any(info => info is { Name.Isa: KernelIsa.Avx512, Verdict: not KernelVerdict.Refused }), "there is no AVX-512 here");
        var model = Packed();
        using var process = ChildProcess.Start(["tune", model, "--threads", "1"], (Variable, CacheFolder), ("DOTNET_EnableAVX512", "0"));
        (await process.Finish()).Succeeded();
        Assert.True(File.Exists(CacheFile));
        Assert.Contains("Avx512", $"{(await RunCached("doctor", "--json")).Succeeded().Json.GetProperty("tuning")}");
        Assert.Contains("made without 'M", (await RunCached("run", model, Image())).Error);
        (await RunCached("tune", model, "--threads", "1")).Succeeded();
        (await RunCached("run", model, Image())).Succeeded();
    }

    [Fact]
    public async Task A_cache_that_can_not_be_written_is_told_before_the_work()
    {
        Write("cache", "a file in the place of the folder");
        (await RunCached("tune", Folder["absent.savit"])).Refused(CommandLine.BadInput, CacheFile, "cannot be made");
    }

    [Theory]
    [InlineData("{\"cpu\": \"tru", "damaged, or in an earlier form;")]
    [InlineData("""{"cpu":"\u001b[2J","version":"1","kernels":"0","missing":[],"shapes":[],"row_blocks":[],"splits":[]}""", "made on '?[2J', this is")]
    public async Task A_cache_that_can_not_be_used_is_one_line_of_warning(string text, string why)
    {
        var (model, image) = (Packed(), Image());
        Write("cache/tuning.json", text);
        foreach (var args in (string[][])[
            ["run", model, image], ["compare", model, model, "--image", image], ["eval", model, "--data", Data(("a.png", 0))]])
        {
            var result = await RunCached(args);
            Assert.Equal(CommandLine.Success, result.ExitCode);
            Assert.StartsWith($"shiftadd: warning: {CacheFile}: tuned choices are not used: {why}", result.Error);
            Assert.Single(result.Error.TrimEnd().Split('\n'));
            Assert.DoesNotContain('\u001b', result.Error);
        }
        Assert.Equal((await Run("run", model, image)).Output, (await RunCached("run", model, image)).Output);
        Assert.Contains(why, (await RunCached("doctor")).Succeeded().Output);
        (await RunCached("tune", model)).Succeeded();
        (await RunCached("run", model, image)).Succeeded();
    }
}
