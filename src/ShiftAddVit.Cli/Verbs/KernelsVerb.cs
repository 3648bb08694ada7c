using System.Collections.Immutable;
using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd kernels</c>: what each way to compute costs on this machine.</summary>
static class KernelsVerb
{
    static readonly TimeSpan Each = TimeSpan.FromMilliseconds(50), EachLayer = 2 * Each;

    public static Command Create(CommandConsole console)
    {
        var shape = ShapeOption.Create();
        var assert = CommonOptions.Percent("--assert", "Fail when what runs a layer is so much slower than the fastest kernel");
        var json = CommonOptions.Json();
        var command = new ExampleCommand(
            "kernels", "Time every kernel on random data, check it, and show which is chosen and why", "shiftadd kernels --shape 197,192,768")
        {
            shape, assert, json,
        };
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var (shapes, percent) = (parsed.GetRequiredValue(shape), parsed.GetValue(assert));
            var tuned = TuningCache.Default.Read(KernelRegistry.Default, out var warning);
            if (warning is not null) console.Warn(warning);
            var timed = Time(console, shapes, tuned, percent ?? double.PositiveInfinity, cancellation);
            if (parsed.GetValue(json)) console.WriteJson(new([.. timed.Select(Describe)]), ResultJson.Default.KernelsResult);
            else Print(console, timed);
            return Judge(timed);
        }, cancellation));
        return command;
    }

    static ShapeTimings[] Time(
        CommandConsole console, ImmutableArray<MatrixShape> shapes, TunedChoices tuned, double percent, CancellationToken cancellation)
    {
        using var progress = new ProgressLine(console, "shapes", shapes.Length);
        var tuner = new Tuner(KernelRegistry.Default, EachLayer);
        var timed = new List<ShapeTimings>();
        foreach (var shape in shapes)
        {
            var comparison = KernelComparison.Run(KernelRegistry.Default, tuned, shape, Each, cancellation);
            timed.Add(new(comparison, [.. tuner.Check(shape, tuned, percent, cancellation)]));
            progress.Report(timed.Count);
        }
        return [.. timed];
    }

    /// <summary>Fails when a kernel computed something else than its reference, or what runs a layer is slower than allowed.</summary>
    static int Judge(ShapeTimings[] timed)
    {
        foreach (var (comparison, picks) in timed)
        {
            foreach (var row in comparison.Rows) Require(row.Timing, $"{row.Info.Name}");
            foreach (var row in comparison.Epilogues) Require(row.Timing, Name(row));
            foreach (var pick in picks)
                if (pick.IsTooSlow) throw new ShiftAddVitException($"{pick}");
        }
        return CommandLine.Success;

        static void Require(KernelTiming? timing, string name)
        {
            if (timing is { IsCorrect: false }) throw new ShiftAddVitException($"{name}: wrong result on {timing.Shape}; report it");
        }
    }

    static KernelShapeResult Describe(ShapeTimings timed) => Describe(timed.Comparison, timed.Picks);

    static KernelShapeResult Describe(KernelComparison comparison, PickCheck[] picks) => new(
        comparison.Shape.M, comparison.Shape.K, comparison.Shape.N, comparison.Peak.MultiplyAdds, comparison.Peak.ByteProducts, comparison.Stores,
        [.. comparison.Rows.Select(row => new KernelTimingRow(
            $"{row.Info.Name}", $"{row.Info.Verdict}".ToLowerInvariant(), row.Info.Reason, row.Info.Schedule, row.Timing?.MinMs, row.Timing?.MedianMs,
            row.Timing?.GigaOperationsPerSecond, row.ShareOfPeak, row.SpeedupOverFloat32, row.Timing?.IsCorrect))],
        [.. comparison.Epilogues.Select(row => new EpilogueTimingRow(
            Name(row), row.Timing.MinMs, row.Timing.MedianMs, row.Timing.GigaOperationsPerSecond, row.ShareOfPeak, row.Timing.IsCorrect))],
        [.. picks.Select(pick => new PickRow(
            pick.Decision.Subject, pick.Decision.Static, pick.Decision.TimeOf(pick.Decision.Static).Microseconds,
            pick.Decision.Times[0].Name, pick.Decision.Times[0].Microseconds, pick.SlowerPercent))]);

    static string Name(EpilogueComparisonRow row) => $"{row.Kernel} + {row.Epilogue}";

    static void Print(CommandConsole console, ShapeTimings[] timed)
    {
        foreach (var (comparison, picks) in timed)
        {
            Print(console, comparison);
            Print(console, picks);
        }
        var refused = timed[0].Comparison.Rows.Where(row => row.Timing is null).ToArray();
        foreach (var row in refused) console.WriteLine($"refused: {row.Info.Name}: {row.Info.Reason}");
    }

    static void Print(CommandConsole console, KernelComparison comparison)
    {
        console.WriteLine(
            $"{comparison.Shape}, one thread; peak in G multiply-adds/s: {Peak(comparison.Peak)}; storing int32 outputs alone: {comparison.Stores:0}");
        var table = new Table().Border(TableBorder.Simple).AddColumns("", "kernel");
        foreach (var name in (string[])["min ms", "median ms", "G/s", "of peak", "x fp32"]) table.AddColumn(name, column => column.RightAligned());
        table.AddColumns("result", "schedule");
        foreach (var row in comparison.Rows)
            if (row.Timing is { } timing)
                table.AddRow(
                    [row.Info.Verdict == KernelVerdict.Chosen ? "*" : "", $"{row.Info.Name}", .. Cells(timing, row.ShareOfPeak),
                     $"{row.SpeedupOverFloat32:0.00}", Result(timing), CommandConsole.Cell(row.Info.Schedule)]);
        foreach (var row in comparison.Epilogues) table.AddRow(["", Name(row), .. Cells(row.Timing, row.ShareOfPeak), "", Result(row.Timing), ""]);
        console.Write(table);
    }

    static void Print(CommandConsole console, PickCheck[] picks)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("layer", "what runs", "fastest");
        table.AddColumn("slower, %", column => column.RightAligned());
        foreach (var pick in picks)
            table.AddRow(pick.Decision.Subject, pick.Decision.Static, pick.Decision.Times[0].Name, $"{pick.SlowerPercent:0.0}");
        console.Write(table);
    }

    static string[] Cells(KernelTiming timing, double? share) =>
        [$"{timing.MinMs:0.0000}", $"{timing.MedianMs:0.0000}", $"{timing.GigaOperationsPerSecond:0.0}", share is { } part ? $"{part:P0}" : "-"];

    static string Result(KernelTiming timing) => timing.IsCorrect ? "exact" : "[red]WRONG[/]";

    static string Peak(MachinePeak peak) => (peak.MultiplyAdds, peak.ByteProducts) switch
    {
        ({ } float32, { } bytes) => $"{float32:0} fp32, {bytes:0} bytes",
        ({ } float32, null) => $"{float32:0} fp32",
        _ => "not measured, as no code is generated here",
    };

    /// <summary>All kernels on a shape, and what runs its layers.</summary>
    sealed record ShapeTimings(KernelComparison Comparison, PickCheck[] Picks);
}
