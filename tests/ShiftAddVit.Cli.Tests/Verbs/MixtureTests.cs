using System.Text.Json;
using System.Xml.Linq;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Cli.Tests.Verbs;

public class MixtureTests : CommandTests
{
    string Mixed(string name = "mixed.savit")
    {
        PackedModel.Pack(MixtureModels.Create([MixtureScope.Qkv, MixtureScope.Mlp], [WeightFormat.F32, WeightFormat.P4])).Save(Folder[name]);
        return Folder[name];
    }

    [Fact]
    public async Task Mixtures_are_made_before_the_other_layers_are_converted_and_the_warning_says_that_nothing_was_trained()
    {
        var result = await Run(
            ["reparameterize", Checkpoint(), "-o", Folder["moe.savit"], "--linear", "shift2", "--moe", "qkv,mlp", "--experts", "dense,int8,shift", "--json", .. Known]);
        Assert.Equal(CommandLine.Success, result.ExitCode);
        Assert.Equal(
            "shiftadd: warning: --moe: the routers are not trained: 100 % of the tokens go to dense, the first expert, and 0 % to the others", result.Error.Trim());
        var changes = result.Json.GetProperty("changes").EnumerateArray().ToDictionary(it => $"{it.GetProperty("layer")}", it => $"{it.GetProperty("to")}");
        Assert.Equal("router, F32 | S8 | P4", changes["blocks.0.attn.qkv"]);
        Assert.Equal("router, F32 | S8 | P4", changes["blocks.1.mlp"]);
        Assert.Equal("P4P4", changes["blocks.0.attn.proj"]);
        var tree = (await Run("inspect", Folder["moe.savit"])).Succeeded().Output;
        foreach (var part in (string[])["attn.qkv.router", "attn.qkv.experts.1", "mlp.router", "experts.2"]) Assert.Contains(part, tree);
    }

    [Fact]
    public async Task A_share_is_calibrated_from_images()
    {
        var result = await Run(
            ["reparameterize", Checkpoint(), "-o", Folder["moe.savit"], "--linear", "dense", "--moe", "q+k+v,proj,fc1,fc2", "--moe-share", "0.6", "--calibrate",
                Data(("a.png", 0), ("b.png", 1), ("c.png", 2)), .. Known, "--resize", "none"]);
        Assert.Equal(CommandLine.Success, result.ExitCode);
        Assert.Contains("set from sample images to send 60 % of the tokens to shift, the last expert, and 40 % to dense, the first", result.Error);
        Assert.Equal(12, PackedModel.Load(Folder["moe.savit"]).Graph.Mixtures().Count());
        var json = (await Run("run", Folder["moe.savit"], Image(), "--explain", Folder["pictures"], "--json")).Succeeded().Json;
        var shares = json.GetProperty("results")[0].GetProperty("mixtures").EnumerateArray().Select(it => it.GetProperty("experts")[1].GetProperty("share").GetDouble());
        Assert.InRange(shares.Average(), 0.3, 0.9);
    }

    [Theory]
    [InlineData("--experts is for --moe; allowed with it: qkv, q+k+v, proj, fc1, fc2, mlp", "--experts", "dense,shift")]
    [InlineData("--moe-share is for --moe", "--moe-share", "0.5")]
    [InlineData("qkv and q+k+v exclude each other", "--moe", "qkv,q+k+v")]
    [InlineData("mlp and its layers exclude each other", "--moe", "mlp,fc2")]
    [InlineData("1 experts; 2 to 8 are allowed", "--moe", "qkv", "--experts", "shift")]
    [InlineData("9 experts; 2 to 8 are allowed", "--moe", "qkv", "--experts", "shift,shift,shift,shift,shift,shift,shift,shift,shift")]
    [InlineData("--moe qkv,head: no head; qkv, q+k+v, proj, fc1, fc2, mlp are allowed", "--moe", "qkv,head")]
    [InlineData("--moe qkv,: no word between commas", "--moe", "qkv,")]
    [InlineData("names a layer twice", "--moe", "qkv,qkv")]
    [InlineData("--experts dense,float: no float; dense, int8, shift, shift2", "--moe", "qkv", "--experts", "dense,float")]
    [InlineData("--moe-share needs --calibrate DIR", "--moe", "qkv", "--moe-share", "0.5")]
    [InlineData("--moe-share 1: a number between 0 and 1 is needed", "--moe", "qkv", "--moe-share", "1", "--calibrate", "d")]
    [InlineData("--moe-share much: a number between 0 and 1 is needed", "--moe", "qkv", "--moe-share", "much", "--calibrate", "d")]
    [InlineData("--calibrate and --calibrate-count are for --method gptq, binary attention and --moe-share", "--moe", "qkv", "--calibrate", "d")]
    public async Task Recipes_that_make_no_sense_are_refused_before_any_work(string named, params string[] options) =>
        await Refuses(CommandLine.BadCommandLine, [named], ["reparameterize", "absent.safetensors", "-o", Folder["out.savit"], .. options]);

    [Fact]
    public async Task Each_image_gets_a_picture_and_a_table_of_shares()
    {
        Directory.CreateDirectory(Folder["other"]);
        var (model, first, second) = (Mixed(), Image("cat.png"), Image(Path.Combine("other", "cat.png"), seed: 2));
        var result = (await Run("run", model, first, second, "--explain", Folder["new/pictures"])).Succeeded();
        Assert.Matches(@"blocks\.0\.attn\.qkv +F32 [0-9.]+ % +P4 [0-9.]+ %", result.Output);
        Assert.Equal(["cat-2.svg", "cat.svg"], Directory.GetFiles(Folder["new/pictures"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(4, XDocument.Load(Folder["new/pictures/cat.svg"]).Descendants("{http://www.w3.org/2000/svg}g").Count());
        var plain = (await Run("run", model, first)).Succeeded().Output;
        Assert.StartsWith(plain.TrimEnd(), result.Output);
    }

    [Fact]
    public async Task Json_tells_the_shares_of_each_layer()
    {
        var json = (await Run("run", Mixed(), Image(), "--explain", Folder["pictures"], "--json")).Succeeded().Json.GetProperty("results")[0];
        Assert.Equal("image top picture mixtures", JsonNames.Of(json));
        var mixture = json.GetProperty("mixtures")[0];
        Assert.Equal("layer experts", JsonNames.Of(mixture));
        Assert.Equal("format share tokens", JsonNames.Of(mixture.GetProperty("experts")[0]));
        Assert.Equal(10, mixture.GetProperty("experts").EnumerateArray().Sum(expert => expert.GetProperty("tokens").GetInt32()));
    }

    [Fact]
    public async Task There_is_nothing_to_explain_or_time_without_mixtures()
    {
        await Refuses(CommandLine.BadInput, ["--explain: ", "has no mixtures of experts", "--moe"], "run", Packed(), Image(), "--explain", Folder["pictures"]);
        await Refuses(CommandLine.BadInput, ["--experts: ", "has no mixtures of experts", "--moe"], "tune", Packed(), "--experts", Folder["alphas.json"]);
    }

    [Fact]
    public async Task Latencies_of_experts_are_written_and_told()
    {
        var json = (await Run("tune", Mixed(), "--experts", Folder["alphas.json"], "--seconds", "1", "--threads", "1", "--json")).Succeeded().Json;
        var told = json.GetProperty("mixtures").EnumerateArray().ToArray();
        var kept = JsonDocument.Parse(File.ReadAllText(Folder["alphas.json"])).RootElement.GetProperty("mixtures").EnumerateArray().ToArray();
        Assert.Equal(["blocks.0.attn.qkv", "blocks.0.mlp", "blocks.1.attn.qkv", "blocks.1.mlp"], told.Select(it => $"{it.GetProperty("layer")}"));
        Assert.Equal(told.Select(Alphas), kept.Select(Alphas));

        static string Alphas(JsonElement mixture) => string.Join(' ', mixture.GetProperty("experts").EnumerateArray().Select(expert => expert.GetProperty("alpha").GetRawText()));
    }

    [Fact]
    public async Task The_ideal_parallel_latency_stands_beside_the_real_one_and_only_for_mixtures()
    {
        var row = (await Run("bench", Mixed(), "--seconds", "1", "--budget", "--json")).Succeeded().Json;
        var result = row.GetProperty("results")[0];
        Assert.InRange(result.GetProperty("ideal_parallel_ms").GetDouble(), 0, result.GetProperty("median_ms").GetDouble());
        Assert.InRange(result.GetProperty("dispatch_share").GetDouble(), 0, 1);
        string[] work = [.. row.GetProperty("budget").EnumerateArray().Select(part => $"{part.GetProperty("work")}")];
        foreach (var name in (string[])["Router", "Gather", "Experts"]) Assert.Contains(name, work);
        Assert.Contains("ideal parallel ms", (await Run("bench", Mixed(), "--seconds", "1")).Succeeded().Output);
        Assert.DoesNotContain("ideal", (await Run("bench", Packed(), "--seconds", "1", "--json")).Succeeded().Output);
    }
}
