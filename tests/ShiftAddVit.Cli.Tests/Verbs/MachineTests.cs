namespace ShiftAddVit.Cli.Tests.Verbs;

public class MachineTests : CommandTests
{
    [Fact]
    public async Task Doctor_tells_the_machine_and_the_kernel_of_each_operation()
    {
        var json = (await Run("doctor", "--json")).Succeeded().Json;
        Assert.Equal("version runtime system cpu processors memory_gib image_library tuning kernels knobs problems", JsonNames.Of(json));
        var kernels = json.GetProperty("kernels").EnumerateArray().ToArray();
        Assert.All(kernels, kernel => Assert.Equal("name verdict reason", JsonNames.Of(kernel)));
        Assert.Equal(8, kernels.Count(kernel => kernel.GetProperty("verdict").GetString() == "chosen"));
        Assert.Empty(json.GetProperty("problems").EnumerateArray());
        Assert.Equal("no problems found", (await Run("doctor")).Succeeded().Lines[^1]);
    }

    [Fact]
    public async Task Knobs_lists_every_variable()
    {
        var rows = (await Run("knobs", "--json")).Succeeded().Json.GetProperty("knobs").EnumerateArray().ToArray();
        Assert.All(rows, row => Assert.Equal("name value default allowed purpose", JsonNames.Of(row)));
        Assert.Equal(Knobs.All.Select(knob => knob.Name), rows.Select(row => row.GetProperty("name").GetString()!));
        var lines = (await Run("knobs")).Succeeded().Lines;
        foreach (var knob in Knobs.All)
            Assert.Contains(lines, line =>
                line.Contains(knob.Name, StringComparison.Ordinal) && line.Contains(knob.Purpose, StringComparison.Ordinal));
    }
}
