namespace ShiftAddVit.Cli.Tests.Verbs;

public class BenchTests : CommandTests
{
    [Fact]
    public async Task Every_combination_is_a_row()
    {
        var json = (await Run("bench", Packed(), "--batch", "1,2", "--threads", "1,2", "--seconds", "1", "--json")).Succeeded().Json;
        Assert.Equal("results", JsonNames.Of(json));
        var rows = json.GetProperty("results").EnumerateArray().ToArray();
        Assert.All(rows, row => Assert.Equal("engine model batch threads median_ms min_ms max_ms", JsonNames.Of(row)));
        Assert.All(rows, row => Assert.Equal("shiftadd tiny.savit", $"{row.GetProperty("engine")} {row.GetProperty("model")}"));
        Assert.Equal(["1 1", "1 2", "2 1", "2 2"], rows.Select(row => $"{row.GetProperty("batch")} {row.GetProperty("threads")}"));
        Assert.All(rows, row => Assert.InRange(
            row.GetProperty("median_ms").GetDouble(), row.GetProperty("min_ms").GetDouble(), row.GetProperty("max_ms").GetDouble()));
    }

    [Fact]
    public async Task A_checkpoint_whose_preprocessing_is_unknown_can_be_timed()
    {
        var lines = (await Run("bench", Checkpoint(), "--heads", "2", "--seconds", "1")).Succeeded().Lines;
        Assert.Equal(3, lines.Length);
        Assert.Matches(@"^ *engine +model +batch +threads +median ms +min ms +max ms +images/s$", lines[0]);
        Assert.Matches(@"^ *shiftadd +tiny\.safetensors +1 +1 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", lines[2]);
    }
}
