using System.Text.Json;

namespace ShiftAddVit.Cli.Tests;

/// <summary>What a command did: its exit code and what it wrote.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>All of standard output as one JSON value, so that anything else on it fails.</summary>
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    public string[] Lines => Output.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');

    /// <summary>The result of a command that must have gone well, with nothing on standard error.</summary>
    public CommandResult Succeeded()
    {
        Assert.Equal("", Error);
        Assert.Equal(CommandLine.Success, ExitCode);
        Assert.DoesNotContain('\u001b', Output);
        return this;
    }

    /// <summary>One line of error that names what is wrong, and no result.</summary>
    public CommandResult Refused(int exitCode, params ReadOnlySpan<string> named)
    {
        Assert.StartsWith("shiftadd: ", Error);
        foreach (var name in named) Assert.Contains(name, Error);
        Assert.Equal(exitCode, ExitCode);
        Assert.Equal("", Output);
        Assert.EndsWith(Environment.NewLine, Error);
        Assert.DoesNotContain(Error[..^Environment.NewLine.Length], char.IsControl);
        Assert.DoesNotContain("internal error", Error);
        Assert.DoesNotContain("Exception", Error);
        return this;
    }
}
