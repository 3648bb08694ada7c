using System.Diagnostics;
using System.Runtime.InteropServices;

namespace ShiftAddVit.Cli.Tests;

/// <summary>The command as a process of its own, for what lies outside <see cref="CommandLine"/>: signals, variables, pipes.</summary>
static class ChildProcess
{
    /// <summary>Longer than any of these takes, even on a busy machine.</summary>
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    public static string Dotnet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    public static string Assembly { get; } = Path.Combine(AppContext.BaseDirectory, "shiftadd.dll");

    public static Process Start(string[] args, params (string Name, string Value)[] variables) =>
        StartProgram(Dotnet, [Assembly, .. args], variables);

    public static Process StartProgram(string program, string[] args, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(program, args)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        foreach (var name in (string[])["SHIFTADD_THREADS", "SHIFTADD_MAX_ISA", "SHIFTADD_KERNEL", "SHIFTADD_GENERATED_CODE"]) start.Environment.Remove(name);
        foreach (var (name, value) in variables) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    public static async Task<CommandResult> Finish(this Process process)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
        await process.WaitForExitAsync(deadline.Token);
        return new(process.ExitCode, await output, await error);
    }

    /// <summary>What Ctrl-C sends on Unix.</summary>
    public static void Interrupt(this Process process) => Assert.Equal(0, NativeMethods.kill(process.Id, 2));

    public static void HardLink(string existing, string link) => Assert.Equal(0, NativeMethods.link(existing, link));

    public static void Pipe(string path) => Assert.Equal(0, NativeMethods.mkfifo(path, Convert.ToUInt32("600", 8)));

    static class NativeMethods
    {
        [DllImport("libc", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int mkfifo(string path, uint mode);

        [DllImport("libc", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int kill(int pid, int signal);

        [DllImport("libc", SetLastError = true, CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int link(string existing, string link);
    }
}
