using System.Diagnostics;

namespace ShiftAddVit.Tests.InstructionSets;

/// <summary>This test program once more, as a process of its own: the runtime reads its switches when it starts.</summary>
static class TestProcess
{
    /// <summary>Several times what the slowest takes.</summary>
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(40);

    static readonly string Program = Path.Combine(AppContext.BaseDirectory, "ShiftAddVit.Tests" + (OperatingSystem.IsWindows() ? ".exe" : ""));

    /// <summary>Runs tests with a switch of the runtime off.</summary>
    /// <param name="off">The switch without its <c>DOTNET_</c>.</param>
    /// <param name="expected">The instruction sets that must be left.</param>
    /// <param name="tests">What to run, as the test program's arguments.</param>
    public static async Task<(int ExitCode, string Output)> Run(string off, IEnumerable<string> expected, params string[] tests)
    {
        var start = new ProcessStartInfo(Program, ["-noColor", "-noLogo", .. tests]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var knob in Knobs.All) start.Environment.Remove(knob.Name);
        start.Environment["DOTNET_" + off] = "0";
        start.Environment[InstructionSet.ExpectedVariable] = string.Join(' ', expected);
        using var process = Process.Start(start)!;
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
            await process.WaitForExitAsync(deadline.Token);
            return (process.ExitCode, await output + await error);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }
}
