namespace ShiftAddVit.Cli.Tests;

public class CompletionTests : CommandTests
{
    const string Bash = "/bin/bash";

    [Theory]
    [InlineData("bash", "complete ")]
    [InlineData("zsh", "compdef ")]
    [InlineData("fish", "complete -c shiftadd")]
    [InlineData("pwsh", "Register-ArgumentCompleter ")]
    public async Task Each_shell_has_a_script_that_asks_the_command(string shell, string registration)
    {
        var script = (await Run("completion", shell)).Succeeded().Output;
        Assert.Contains(registration, script);
        Assert.Contains("shiftadd \"[suggest:", script);
    }

    [Theory]
    [InlineData("shiftadd re", "reparameterize")]
    [InlineData("shiftadd run --", "--resize")]
    [InlineData("shiftadd reparameterize --linear ", "shift2")]
    [InlineData("shiftadd completion ", "fish")]
    public async Task The_command_suggests_what_fits(string line, string expected) =>
        Assert.Contains(expected, (await Run($"[suggest:{line.Length}]", line)).Succeeded().Lines);

    [Fact]
    public async Task The_script_completes_in_bash()
    {
        Assert.SkipUnless(File.Exists(Bash), $"{Bash} is not there");
        const string Test = """
            dotnet=$1 assembly=$2
            eval "$3" || exit
            shiftadd() { "$dotnet" "$assembly" "$@"; }
            COMP_LINE='shiftadd insp' COMP_POINT=13 COMP_WORDS=(shiftadd insp) COMP_CWORD=1
            _shiftadd
            echo "${COMPREPLY[@]}"
            """;
        var script = (await Run("completion", "bash")).Output;
        using var process = ChildProcess.StartProgram(Bash, ["-c", Test, "test", ChildProcess.Dotnet, ChildProcess.Assembly, script]);
        Assert.Equal("inspect\n", (await process.Finish()).Succeeded().Output);
    }
}
