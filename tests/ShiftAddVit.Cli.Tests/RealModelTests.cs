using System.Diagnostics;
using System.Globalization;

namespace ShiftAddVit.Cli.Tests;

/// <summary>The main job on the real weights and images, as a user does it.</summary>
public class RealModelTests : CommandTests
{
    const string Weights = "deit_tiny_patch16_224.safetensors";

    [Fact]
    public async Task Deit_tiny_becomes_two_shifts_and_runs_in_120_MB()
    {
        var (weights, names, images) =
            (RealData.Require(Weights), RealData.Require("imagenet_classes.txt"), RealData.Require("imagenet_val_1300"));
        var packed = Folder["deit_tiny.savit"];
        using (var reparameterize = ChildProcess.Start(["reparameterize", weights, "-o", packed, "--class-names", names]))
            Assert.Equal(CommandLine.Success, (await reparameterize.Finish()).ExitCode);
        Assert.InRange(new FileInfo(packed).Length, 1, 6_400_000);

        string[] files = [.. Directory.EnumerateFiles(images, "*.JPEG").Order(StringComparer.Ordinal).Take(4)];
        using var run = ChildProcess.Start(["run", packed, .. files]);
        var peak = WatchPeak(run);
        var result = (await run.Finish()).Succeeded();
        Assert.Contains(result.Lines, line => line.EndsWith("canoe", StringComparison.Ordinal));
        if (OperatingSystem.IsLinux()) Assert.InRange(await peak, 1, 120_000_000 >> 10);
    }

    /// <summary>The most memory that a process had resident, in KiB, as the kernel accounts for it until the process ends.</summary>
    static async Task<int> WatchPeak(Process process)
    {
        var peak = 0;
        try
        {
            for (; !process.HasExited; await Task.Delay(5))
                foreach (var line in await File.ReadAllLinesAsync($"/proc/{process.Id}/status"))
                    if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                        peak = int.Parse(line["VmHWM:".Length..^"kB".Length], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            // The process ended between the two looks at it, or this is not Linux.
        }
        return peak;
    }
}
