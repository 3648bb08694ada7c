using System.Text.Json;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Cli.Tests.Verbs;

public class KernelsTests : CommandTests
{
    [Fact]
    public async Task Every_registered_kernel_is_a_row_of_each_shape()
    {
        var json = (await Run("kernels", "--shape", "7,40,33", "--shape", "1,1,1", "--json")).Succeeded().Json;
        Assert.Equal("shapes heads", JsonNames.Of(json));
        Assert.Empty(json.GetProperty("heads").EnumerateArray());
        var shapes = json.GetProperty("shapes").EnumerateArray().ToArray();
        Assert.All(shapes, shape => Assert.Equal("m k n peak_multiply_adds peak_byte_products stores kernels epilogues picks", JsonNames.Of(shape)));
        Assert.Equal(["7 40 33", "1 1 1"], shapes.Select(shape => $"{shape.GetProperty("m")} {shape.GetProperty("k")} {shape.GetProperty("n")}"));
        foreach (var shape in shapes)
        {
            var kernels = shape.GetProperty("kernels").EnumerateArray().ToArray();
            Assert.Equal(ForLayers.Select(info => $"{info.Name}"), kernels.Select(kernel => kernel.GetProperty("name").GetString()));
            Assert.All(kernels, AssertRow);
            var picks = shape.GetProperty("picks").EnumerateArray().ToArray();
            Assert.All(picks, pick => Assert.Equal("layer kernel us fastest fastest_us slower_percent", JsonNames.Of(pick)));
            Assert.All(picks, pick => Assert.InRange(pick.GetProperty("slower_percent").GetDouble(), 0, double.MaxValue));
            Assert.Subset(
                kernels.Where(kernel => kernel.GetProperty("verdict").GetString() == "chosen").Select(kernel => $"{kernel.GetProperty("name")}").ToHashSet(),
                picks.Select(pick => $"{pick.GetProperty("kernel")}").ToHashSet());
        }
        Assert.Equal(
            ["F32 1x1x1", "P4 1x1x1", "P4P4 1x1x1", "P5 1x1x1", "S8 1x1x1"],
            shapes[1].GetProperty("picks").EnumerateArray().Select(pick => $"{pick.GetProperty("layer")}").Order(StringComparer.Ordinal));
    }

    /// <summary>Kernels that multiply by weights.</summary>
    static IEnumerable<KernelInfo> ForLayers => KernelRegistry.Default.All.Where(info => info.Name.Op != Operation.MatAdd);

    [Fact]
    public async Task Products_of_heads_are_timed_beside_multiplications()
    {
        var json = (await Run("kernels", "--head-shape", "2,21,10,7", "--json")).Succeeded().Json;
        Assert.Empty(json.GetProperty("shapes").EnumerateArray());
        var heads = json.GetProperty("heads").EnumerateArray().ToArray();
        Assert.All(heads, head => Assert.Equal(
            "product heads tokens head_size code_bits m k n peak_multiply_adds peak_byte_products kernels", JsonNames.Of(head)));
        Assert.Equal(
            ["K^T V 2 21 10 7 7 21 10", "Q(KV) 2 21 10 7 21 7 10", "Q K^T 2 21 10 7 21 7 21"],
            heads.Select(head => string.Join(' ', head.EnumerateObject().Take(8).Select(it => $"{it.Value}"))));
        Assert.All(heads, head => Assert.All(head.GetProperty("kernels").EnumerateArray(), AssertRow));
    }

    [Fact]
    public async Task A_head_is_a_table_of_its_own()
    {
        var lines = (await Run("kernels", "--head-shape", "2,21,10,7")).Succeeded().Lines;
        Assert.StartsWith("K^T V: heads 2, tokens 21, channels 10, code bits 7; a head is 7x21x10, one thread; peak in G multiply-adds/s: ", lines[0]);
        Assert.Matches(@"^ *kernel +min ms +median ms +G/s +of peak +x fp32 +result +schedule$", lines[1]);
        foreach (var info in KernelRegistry.Default.All.Where(info => info.Name.Op == Operation.MatAdd))
            Assert.Single(lines, line => line.Contains($" {info.Name}", StringComparison.Ordinal));
    }

    static void AssertRow(JsonElement kernel)
    {
        Assert.Equal(
            "name verdict reason schedule min_ms median_ms giga_operations_per_second share_of_peak speedup_over_float32 correct",
            JsonNames.Of(kernel));
        Assert.NotEqual("", kernel.GetProperty("reason").GetString());
        if (kernel.GetProperty("verdict").GetString() == "refused") Assert.Equal(JsonValueKind.Null, kernel.GetProperty("min_ms").ValueKind);
        else
        {
            Assert.InRange(kernel.GetProperty("min_ms").GetDouble(), 1e-9, kernel.GetProperty("median_ms").GetDouble());
            Assert.True(kernel.GetProperty("correct").GetBoolean());
        }
    }

    [Fact]
    public async Task The_pick_is_marked_and_results_are_checked()
    {
        var lines = (await Run("kernels", "--shape", "3,8,5")).Succeeded().Lines;
        Assert.StartsWith("3x8x5, one thread; peak in G multiply-adds/s: ", lines[0]);
        Assert.Matches(@"^ *kernel +min ms +median ms +G/s +of peak +x fp32 +result +schedule$", lines[1]);
        foreach (var info in ForLayers)
        {
            var mark = info.Verdict == KernelVerdict.Chosen ? @"\*" : " ";
            var row = info.Verdict == KernelVerdict.Refused ? $"^refused: {info.Name}: .+" : $@"^ *{mark} +{info.Name} +[\d.]+ +[\d.]+ +[\d.]+ +(\d+ ?%|-) +[\d.]+ +exact +\w";
            Assert.Single(lines, line => System.Text.RegularExpressions.Regex.IsMatch(line, row));
        }
    }
}
