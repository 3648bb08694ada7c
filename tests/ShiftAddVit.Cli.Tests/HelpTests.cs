namespace ShiftAddVit.Cli.Tests;

public class HelpTests : CommandTests
{
    public static TheoryData<string> Verbs =>
        ["inspect", "reparameterize", "compare", "run", "eval", "bench", "kernels", "tune", "doctor", "knobs", "completion"];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Help_ends_with_an_example_that_can_be_parsed(string verb)
    {
        var lines = (await Run(verb, "--help")).Succeeded().Lines;
        Assert.Equal("Example:", lines[^2]);
        Assert.StartsWith($"  shiftadd {verb}", lines[^1]);
        string[] words = [.. lines[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).TakeWhile(word => word != ">>")];
        // The files that it names are not here; the options are understood.
        Assert.NotEqual(CommandLine.BadCommandLine, (await Run(words)).ExitCode);
    }

    [Fact]
    public async Task Help_of_the_whole_lists_every_verb()
    {
        var output = (await Run("--help")).Succeeded().Output;
        foreach (var verb in Verbs) Assert.Contains($"\n  {verb.Data} ", output.ReplaceLineEndings("\n"));
    }

    [Fact]
    public async Task Help_wins_over_a_wrong_command_line() => (await Run("run", "--frob", "--help")).Succeeded();

    [Fact]
    public async Task Version_is_one_line() => Assert.Matches(@"^\d+\.\d+\.\d+\S*$", (await Run("--version")).Succeeded().Lines.Single());
}
