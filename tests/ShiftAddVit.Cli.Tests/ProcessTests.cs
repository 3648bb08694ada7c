using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Cli.Tests;

public class ProcessTests : CommandTests
{
    [Theory]
    [InlineData("SHIFTADD_THREADS", "many", "1 to 1024")]
    [InlineData("SHIFTADD_THREADS", "0", "1 to 1024")]
    [InlineData("SHIFTADD_MAX_ISA", "avx9", "reference|vector128|")]
    [InlineData("SHIFTADD_KERNEL", "MatShift", "MatShift_U8P4I32_1x1_Reference")]
    [InlineData("SHIFTADD_GENERATED_CODE", "no", "on|off")]
    public async Task A_wrong_knob_is_bad_input(string knob, string value, string allowed)
    {
        using var process = ChildProcess.Start(["run", Packed(), Image()], (knob, value));
        (await process.Finish()).Refused(CommandLine.BadInput, knob, value, allowed);
    }

    /// <summary>What a hardened system does to a process: no memory may become executable.</summary>
    [Fact]
    public async Task Without_generated_code_the_result_is_the_same_and_one_line_warns()
    {
        Assert.SkipUnless(Avx2.IsSupported && Fma.IsSupported, "no generated code runs on this processor");
        string[] args = ["run", Packed(), Image(), "--json"];
        using var process = ChildProcess.Start(args, ("SHIFTADD_GENERATED_CODE", "off"));
        var result = await process.Finish();
        Assert.Equal((CommandLine.Success, (await Run(args)).Output), (result.ExitCode, result.Output));
        var warning = "SHIFTADD_GENERATED_CODE=off: portable kernels run in place of generated code, more slowly";
        Assert.Equal($"shiftadd: warning: {warning}{Environment.NewLine}", result.Error);

        using var doctor = ChildProcess.Start(["doctor"], ("SHIFTADD_GENERATED_CODE", "off"));
        var report = await doctor.Finish();
        Assert.Equal((CommandLine.BadInput, $"problem: {warning}"), (report.ExitCode, report.Lines[^1]));
    }

    [Fact]
    public async Task Doctor_tells_a_wrong_knob_and_fails()
    {
        using var process = ChildProcess.Start(["doctor"], ("SHIFTADD_KERNEL", "MatShift"));
        var result = await process.Finish();
        Assert.Equal((CommandLine.BadInput, ""), (result.ExitCode, result.Error));
        Assert.StartsWith("problem: SHIFTADD_KERNEL: no kernel MatShift", result.Lines[^1]);
    }

    [Fact]
    public async Task A_knob_is_obeyed_and_shown()
    {
        using var process = ChildProcess.Start(["doctor", "--json"], ("SHIFTADD_MAX_ISA", "reference"));
        var kernels = (await process.Finish()).Succeeded().Json.GetProperty("kernels").EnumerateArray();
        Assert.All(kernels, kernel => Assert.Equal(
            kernel.GetProperty("name").GetString()!.EndsWith("_Reference", StringComparison.Ordinal) ? "chosen" : "refused",
            kernel.GetProperty("verdict").GetString()));
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("reparameterize", "-o", "out.savit")]
    [InlineData("bench", "--seconds", "1")]
    public async Task No_escape_sequence_goes_to_a_pipe(string verb, params string[] options)
    {
        var args = options.Select(option => option == "out.savit" ? Folder[option] : option);
        using var process = ChildProcess.Start([verb, Packed(), .. args], ("TERM", "xterm-256color"), ("COLORTERM", "truecolor"));
        (await process.Finish()).Succeeded();
    }

    [Fact]
    public async Task A_reader_that_stops_early_is_no_error()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "needs a shell of Unix");
        string[] args =
            ["-c", "{ \"$0\" \"$1\" inspect \"$2\"; echo exit $? >&2; } | true", ChildProcess.Dotnet, ChildProcess.Assembly, Packed()];
        using var process = ChildProcess.StartProgram("/bin/sh", args);
        Assert.Equal("exit 0\n", (await process.Finish()).Error);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("inspect", "--json")]
    [InlineData("inspect", "--help")]
    public async Task A_full_disk_behind_standard_output_is_one_line_that_names_it(string verb, params string[] options)
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "/dev/full is not there");
        string[] args =
            ["-c", "exec \"$0\" \"$@\" > /dev/full", ChildProcess.Dotnet, ChildProcess.Assembly, verb, Packed(), .. options];
        using var process = ChildProcess.StartProgram("/bin/sh", args);
        (await process.Finish()).Refused(CommandLine.BadInput, "shiftadd: standard output: ");
    }
}
