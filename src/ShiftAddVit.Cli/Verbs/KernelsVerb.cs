using System.Collections.Immutable;
using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd kernels</c>: what each way to compute costs on this machine.</summary>
static class KernelsVerb
{
    static readonly TimeSpan Each = TimeSpan.FromMilliseconds(50);

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
            var (comparisons, heads) = Compare(console, shapes, headShapes, cancellation);
            if (!parsed.GetValue(json)) Print(console, comparisons, heads);
            else console.WriteJson(new([.. comparisons.Select(Describe)], [.. heads.Select(Describe)]), ResultJson.Default.KernelsResult);
            if (parsed.GetValue(assert) is { } percent) RequireFast(console, shapes, percent, cancellation);
            return Judge(comparisons, heads);
        }, cancellation));
        return command;
    }

    static (KernelComparison[], HeadComparison[]) Compare(
        CommandConsole console, ImmutableArray<MatrixShape> shapes, ImmutableArray<HeadShape> headShapes, CancellationToken cancellation)
    {
        var products = Enum.GetValues<HeadProduct>();
        using var progress = new ProgressLine(console, "shapes", shapes.Length + headShapes.Length * products.Length);
        var (comparisons, heads) = (new List<KernelComparison>(), new List<HeadComparison>());
        foreach (var shape in shapes)
        {
            comparisons.Add(KernelComparison.Run(KernelRegistry.Default, shape, Each, cancellation));
            progress.Report(comparisons.Count);
        }
        foreach (var shape in headShapes)
            foreach (var product in products)
            {
                heads.Add(HeadComparison.Run(KernelRegistry.Default, shape, product, Each, cancellation));
                progress.Report(comparisons.Count + heads.Count);
            }
        return ([.. comparisons], [.. heads]);
    }

    /// <summary>Fails when a kernel computed something else than its reference.</summary>
    static int Judge(KernelComparison[] comparisons, HeadComparison[] heads)
    {
        foreach (var row in comparisons.SelectMany(it => it.Rows).Concat(heads.SelectMany(it => it.Rows))) Require(row.Timing, $"{row.Info.Name}");
        foreach (var row in comparisons.SelectMany(it => it.Epilogues)) Require(row.Timing, Name(row));
        return CommandLine.Success;

        static void Require(KernelTiming? timing, string name)
        {
            if (timing is { IsCorrect: false }) throw new ShiftAddVitException($"{name}: wrong result on {timing.Shape}; report it");
        }
    }

    /// <summary>Fails when the kernel that runs a layer of a shape, tuned or not, is slower than the fastest by more than so many percent.</summary>
    static void RequireFast(CommandConsole console, ImmutableArray<MatrixShape> shapes, double percent, CancellationToken cancellation)
    {
        var registry = KernelRegistry.Default;
        var tuned = TuningCache.Default.Read(registry, out var warning);
        if (warning is not null) console.Warn(warning);
        var tuner = new Tuner(registry, 4 * Each);
        foreach (var (m, k, n) in shapes)
            foreach (var weights in Enum.GetValues<WeightFormat>())
                if (tuner.Check(new(weights, m, k, n), tuned, percent, cancellation) is { IsTooSlow: true } check)
                    throw new ShiftAddVitException($"{check}");
    }

    static KernelShapeResult Describe(KernelComparison comparison) => new(
        comparison.Shape.M, comparison.Shape.K, comparison.Shape.N, comparison.Peak.MultiplyAdds, comparison.Peak.ByteProducts, comparison.Stores,
        [.. comparison.Rows.Select(Describe)],
        [.. comparison.Epilogues.Select(row => new EpilogueTimingRow(
            Name(row), row.Timing.MinMs, row.Timing.MedianMs, row.Timing.GigaOperationsPerSecond, row.ShareOfPeak, row.Timing.IsCorrect))]);

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

    static void Print(CommandConsole console, KernelComparison[] comparisons, HeadComparison[] heads)
    {
        foreach (var comparison in comparisons) Print(console, comparison);
        foreach (var comparison in heads) Print(console, comparison);
        var refused = comparisons.Take(1).SelectMany(it => it.Rows).Concat(heads.SelectMany(it => it.Rows)).Where(row => row.Timing is null);
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
}
