using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Imaging;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd doctor</c>: what this machine offers and what is wrong with it.</summary>
static class DoctorVerb
{
    public static Command Create(CommandConsole console)
    {
        var json = CommonOptions.Json();
        var command = new ExampleCommand(
            "doctor", "Show what this machine offers, the kernels chosen on it, and any problem", "shiftadd doctor") { json };
        command.SetAction(parsed =>
        {
            var result = Examine();
            if (parsed.GetValue(json)) console.WriteJson(result, ResultJson.Default.DoctorResult);
            else Print(console, result);
            return result.Problems.Length == 0 ? CommandLine.Success : CommandLine.BadInput;
        });
        return command;
    }

    static DoctorResult Examine()
    {
        var problems = new List<string>();
        var images = Try(() => ImageDecoder.LibraryVersion, problems) ?? "not available";
        var kernels = Try(() => KernelRegistry.Default.All.Select(Describe).ToArray(), problems) ?? [];
        var tuning = Try(Tuning, problems) ?? "not available";
        if (Try(() => KernelRegistry.Default.Warning, []) is { } warning) problems.Add(warning);
        Try(() => $"{Knobs.Threads}", problems);
        return new(
            typeof(ShiftAddVitException).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion,
            RuntimeInformation.FrameworkDescription, $"{RuntimeInformation.OSDescription} {RuntimeInformation.ProcessArchitecture}",
            Processor.Name, Environment.ProcessorCount, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1L << 30),
            images, tuning, kernels, KnobsVerb.Rows(), [.. problems]);
    }

    static string Tuning()
    {
        var cache = TuningCache.Default;
        if (cache.Path is null) return "nothing is kept (SHIFTADD_CACHE)";
        var choices = cache.Read(KernelRegistry.Default, out var warning);
        return warning ?? (choices.Kernels.IsEmpty
            ? $"nothing yet (shiftadd tune); to be kept in {cache.Path}"
            : $"{choices.Kernels.Count} kernels, {choices.RowBlocks.Count} row blocks and {choices.Splits.Count} splits of attention in {cache.Path}");
    }

    static KernelRow Describe(KernelInfo kernel) => new($"{kernel.Name}", $"{kernel.Verdict}".ToLowerInvariant(), kernel.Reason);

    static T? Try<T>(Func<T?> examine, List<string> problems) where T : class
    {
        try
        {
            return examine();
        }
        catch (Exception failure) when (failure is ShiftAddVitException or DllNotFoundException or TypeInitializationException)
        {
            problems.Add(failure.GetBaseException().Message.ReplaceLineEndings(" "));
            return null;
        }
    }

    static void Print(CommandConsole console, DoctorResult result)
    {
        console.WriteLine($"shiftadd {result.Version} on {result.Runtime}, {result.System}");
        console.WriteLine(
            $"{result.Cpu}, {result.Processors} processors, {result.MemoryGib:0.0} GiB of memory; images by {result.ImageLibrary}");
        console.WriteLine($"tuned choices: {result.Tuning}");
        if (result.Kernels.Length > 0) Print(console, result.Kernels);
        foreach (var knob in result.Knobs.Where(knob => knob.Value is not null))
            console.WriteLine($"{knob.Name}={knob.Value}");
        foreach (var problem in result.Problems) console.WriteLine($"problem: {problem}");
        if (result.Problems.Length == 0) console.WriteLine("no problems found");
    }

    static void Print(CommandConsole console, KernelRow[] kernels)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("kernel", "verdict", "why");
        foreach (var kernel in kernels)
            table.AddRow(kernel.Name, kernel.Verdict == "chosen" ? "[green]chosen[/]" : kernel.Verdict, CommandConsole.Cell(kernel.Reason));
        console.Write(table);
    }
}
