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
        var shape = ShapeOption.OfMatrix();
        var headShape = ShapeOption.OfHead();
        var assert = CommonOptions.Percent("--assert", "Fail when what runs a layer is so much slower than the fastest kernel");
        var json = CommonOptions.Json();
        var command = new ExampleCommand(
            "kernels", "Time every kernel on random data, check it, and show which is chosen and why", "shiftadd kernels --shape 197,192,768")
        {
            shape, headShape, assert, json,
        };
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var (shapes, headShapes) = (parsed.GetRequiredValue(shape), parsed.GetRequiredValue(headShape));
            if (shapes.IsEmpty && headShapes.IsEmpty) (shapes, headShapes) = (KernelComparison.PaperShapes, HeadComparison.PaperShapes);
            var tuned = TuningCache.Default.Read(KernelRegistry.Default, out var warning);
            if (warning is not null) console.Warn(warning);
            var (timed, heads) = Time(console, shapes, headShapes, tuned, parsed.GetValue(assert) ?? double.PositiveInfinity, cancellation);
            if (parsed.GetValue(json)) console.WriteJson(new([.. timed.Select(Describe)], [.. heads.Select(Describe)]), ResultJson.Default.KernelsResult);
            else Print(console, timed, heads);
            return Judge(timed, heads);
        }, cancellation));
        return command;
    }

    static (ShapeTimings[], HeadComparison[]) Time(
        CommandConsole console, ImmutableArray<MatrixShape> shapes, ImmutableArray<HeadShape> headShapes, TunedChoices tuned, double percent,
        CancellationToken cancellation)
    {
        var products = Enum.GetValues<HeadProduct>();
        using var progress = new ProgressLine(console, "shapes", shapes.Length + headShapes.Length * products.Length);
        var tuner = new Tuner(KernelRegistry.Default, EachLayer);
        var (timed, heads) = (new List<ShapeTimings>(), new List<HeadComparison>());
        foreach (var shape in shapes)
        {
            var comparison = KernelComparison.Run(KernelRegistry.Default, tuned, shape, Each, cancellation);
            timed.Add(new(comparison, [.. tuner.Check(shape, tuned, percent, cancellation)]));
            progress.Report(timed.Count);
        }
        foreach (var shape in headShapes)
            foreach (var product in products)
            {
                heads.Add(HeadComparison.Run(KernelRegistry.Default, shape, product, Each, cancellation));
                progress.Report(timed.Count + heads.Count);
            }
        return ([.. timed], [.. heads]);
    }

    /// <summary>Fails when a kernel computed something else than its reference, or what runs a layer is slower than allowed.</summary>
    static int Judge(ShapeTimings[] timed, HeadComparison[] heads)
    {
        foreach (var (comparison, picks) in timed)
        {
            foreach (var row in comparison.Rows) Require(row.Timing, $"{row.Info.Name}");
            foreach (var row in comparison.Epilogues) Require(row.Timing, Name(row));
            foreach (var pick in picks)
                if (pick.IsTooSlow) throw new ShiftAddVitException($"{pick}");
        }
        foreach (var row in heads.SelectMany(it => it.Rows)) Require(row.Timing, $"{row.Info.Name}");
        return CommandLine.Success;

        static void Require(KernelTiming? timing, string name)
        {
            if (timing is { IsCorrect: false }) throw new ShiftAddVitException($"{name}: wrong result on {timing.Shape}; report it");
        }
    }

    static KernelShapeResult Describe(ShapeTimings timed) => Describe(timed.Comparison, timed.Picks);

    static KernelShapeResult Describe(KernelComparison comparison, PickCheck[] picks) => new(
        comparison.Shape.M, comparison.Shape.K, comparison.Shape.N, comparison.Peak.MultiplyAdds, comparison.Peak.ByteProducts, comparison.Stores,
        [.. comparison.Rows.Select(Describe)],
        [.. comparison.Epilogues.Select(row => new EpilogueTimingRow(
            Name(row), row.Timing.MinMs, row.Timing.MedianMs, row.Timing.GigaOperationsPerSecond, row.ShareOfPeak, row.Timing.IsCorrect))],
        [.. picks.Select(pick => new PickRow(
            pick.Decision.Subject, pick.Decision.Static, pick.Decision.TimeOf(pick.Decision.Static).Microseconds,
            pick.Decision.Times[0].Name, pick.Decision.Times[0].Microseconds, pick.SlowerPercent))]);

    static HeadShapeResult Describe(HeadComparison comparison)
    {
        var (shape, product) = (comparison.Shape, comparison.Shape.Of(comparison.Product));
        return new(
            Name(comparison.Product), shape.Heads, shape.Tokens, shape.HeadSize, shape.Bits, product.M, product.K, product.N,
            comparison.Peak.MultiplyAdds, comparison.Peak.ByteProducts, [.. comparison.Rows.Select(Describe)]);
    }

    static KernelTimingRow Describe(KernelComparisonRow row) => new(
        $"{row.Info.Name}", $"{row.Info.Verdict}".ToLowerInvariant(), row.Info.Reason, row.Info.Schedule, row.Timing?.MinMs, row.Timing?.MedianMs,
        row.Timing?.GigaOperationsPerSecond, row.ShareOfPeak, row.SpeedupOverFloat32, row.Timing?.IsCorrect);

    static string Name(HeadProduct product) => product switch
    {
        HeadProduct.KeysValues => "K^T V",
        HeadProduct.Queries => "Q(KV)",
        _ => "Q K^T",
    };

    static string Name(EpilogueComparisonRow row) => $"{row.Kernel} + {row.Epilogue}";

    static void Print(CommandConsole console, ShapeTimings[] timed, HeadComparison[] heads)
    {
        foreach (var (comparison, picks) in timed)
        {
            Print(console, comparison);
            Print(console, picks);
        }
        foreach (var comparison in heads) Print(console, comparison);
        var refused = timed.Take(1).SelectMany(it => it.Comparison.Rows).Concat(heads.SelectMany(it => it.Rows)).Where(row => row.Timing is null);
        foreach (var row in refused.DistinctBy(row => row.Info.Name)) console.WriteLine($"refused: {row.Info.Name}: {row.Info.Reason}");
    }

    static void Print(CommandConsole console, KernelComparison comparison)
    {
        console.WriteLine(
            $"{comparison.Shape}, one thread; peak in G multiply-adds/s: {Peak(comparison.Peak)}; storing int32 outputs alone: {comparison.Stores:0}");
        var table = Rows(comparison.Rows);
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

    static void Print(CommandConsole console, HeadComparison comparison)
    {
        console.WriteLine(
            $"{Name(comparison.Product)}: {comparison.Shape}; a head is {comparison.Shape.Of(comparison.Product)}, one thread;"
            + $" peak in G multiply-adds/s: {Peak(comparison.Peak)}");
        console.Write(Rows(comparison.Rows));
    }

    static Table Rows(ImmutableArray<KernelComparisonRow> rows)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("", "kernel");
        foreach (var name in (string[])["min ms", "median ms", "G/s", "of peak", "x fp32"]) table.AddColumn(name, column => column.RightAligned());
        table.AddColumns("result", "schedule");
        foreach (var row in rows)
            if (row.Timing is { } timing)
                table.AddRow(
                    [row.Info.Verdict == KernelVerdict.Chosen ? "*" : "", $"{row.Info.Name}", .. Cells(timing, row.ShareOfPeak),
                     $"{row.SpeedupOverFloat32:0.00}", Result(timing), CommandConsole.Cell(row.Info.Schedule)]);
        return table;
    }

    static string[] Cells(KernelTiming timing, double? share) =>
        [$"{timing.MinMs:0.00000}", $"{timing.MedianMs:0.00000}", $"{timing.GigaOperationsPerSecond:0.0}", share is { } part ? $"{part:P0}" : "-"];

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
