using System.Diagnostics;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Cli.Tests;

public class CtrlCTests : CommandTests
{
    /// <summary>From the start of the process to Ctrl-C: it is at work by then.</summary>
    static readonly TimeSpan Warm = TimeSpan.FromSeconds(1.5);

    /// <summary>From Ctrl-C to the end: 2 s are promised, the rest is for a machine that does much else.</summary>
    static readonly TimeSpan Prompt = TimeSpan.FromSeconds(5);

    /// <summary>The same image so often that going through the list takes minutes.</summary>
    string EndlessData()
    {
        Data(("a.png", 0));
        return Path.GetDirectoryName(
            Write("data/labels.csv", "file,class_index\n" + string.Concat(Enumerable.Repeat("a.png,0\n", 100_000))))!;
    }

    async Task EndsAtOnce(params string[] args)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "signals are of Unix");
        var before = Files();
        // On one processor it is not done too early, whatever the machine.
        using var process = ChildProcess.Start(args, ("DOTNET_PROCESSOR_COUNT", "1"));
        await Task.Delay(Warm);
        Assert.False(process.HasExited, "ended before Ctrl-C");
        process.Interrupt();
        var interrupted = Stopwatch.GetTimestamp();
        var result = await process.Finish();
        Assert.Equal((CommandLine.Cancelled, "", ""), (result.ExitCode, result.Output, result.Error));
        Assert.InRange(Stopwatch.GetElapsedTime(interrupted), TimeSpan.Zero, Prompt);
        Assert.Equal(before, Files());
    }

    [Fact]
    public Task During_calibration() => EndsAtOnce(
        "reparameterize", Packed(), "-o", Folder["out.savit"], "--method", "gptq", "--calibrate", EndlessData(),
        "--calibrate-count", "100000");

    [Fact]
    public Task During_eval() => EndsAtOnce("eval", Packed(), "--data", EndlessData());

    [Fact]
    public Task During_bench() => EndsAtOnce("bench", Packed(), "--seconds", "100");

    [Fact]
    public Task During_kernels() => EndsAtOnce("kernels", "--shape", "4096,4096,4096");

    [Fact]
    public Task During_tune() => EndsAtOnce("tune", ManyTokens(imageSize: 2040), "--seconds", "100");

    [Fact]
    public Task During_a_single_long_call() => EndsAtOnce("bench", ManyTokens(), "--batch", "128");

    [Fact]
    public Task During_reparameterize() => EndsAtOnce(
        "reparameterize", Large(), "-o", Folder["out.savit"], "--heads", "6", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5");

    [Fact]
    public Task During_inspect() => EndsAtOnce(["inspect", Checkpoint(), .. Known, "--class-names", Pipe()]);

    [Fact]
    public Task During_compare() =>
        EndsAtOnce(["compare", Checkpoint(), Packed(), "--image", Image(), .. Known, "--class-names", Pipe()]);

    /// <summary>A pipe that nobody writes to: what opens it waits.</summary>
    string Pipe()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "pipes with a name are made by a call of Unix");
        ChildProcess.Pipe(Folder["pipe"]);
        return Folder["pipe"];
    }

    /// <summary>A model that is read at once and runs for long.</summary>
    string ManyTokens(int imageSize = 256)
    {
        var architecture = TinyModels.Architecture with { ImageSize = imageSize, Width = 64, Heads = 1, MlpWidth = 128 };
        PackedModel.Pack(LinearPass.Apply(TinyModels.Create(architecture), WeightFormat.S8).Graph).Save(Folder["tokens.savit"]);
        return Folder["tokens.savit"];
    }

    /// <summary>A checkpoint that keeps a machine busy for seconds.</summary>
    string Large()
    {
        var architecture = TinyModels.Architecture with { ImageSize = 96, Width = 384, Heads = 6, MlpWidth = 1536, Depth = 8 };
        SafetensorsWriter.Write(Folder["large.safetensors"], TinyModels.Weights(architecture));
        return Folder["large.safetensors"];
    }
}
