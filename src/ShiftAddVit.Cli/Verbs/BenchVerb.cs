using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Inference;
using ShiftAddVit.Reports;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd bench</c>: latency of a model.</summary>
static class BenchVerb
{
    const int MaxBatch = 1024;
    const int DefaultSeconds = 3;

    public static Command Create(CommandConsole console)
    {
        var model = CommonOptions.File("MODEL", "Packed model or checkpoint");
        var batch = CommonOptions.List("--batch", "Images a call", MaxBatch);
        var threads = CommonOptions.List("--threads", "Threads a call", Knobs.MaxThreads);
        var seconds = CommonOptions.Positive("--seconds", $"How long to time each combination (default: {DefaultSeconds})", "S");
        var json = CommonOptions.Json();
        var command = new ExampleCommand(
            "bench", "Time a model for each batch size and number of threads", "shiftadd bench deit_tiny.savit --batch 1,8 --threads 1,2")
        {
            model, batch, threads, seconds, json,
        };
        var options = new ModelOptions().AddTo(command, images: false);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var path = parsed.GetRequiredValue(model);
            using var compiled = console.Compile(options.Open(parsed, path).Graph);
            var duration = TimeSpan.FromSeconds(parsed.GetValue(seconds) ?? DefaultSeconds);
            (int Batch, int Threads)[] cases =
                [.. from b in parsed.GetRequiredValue(batch) from t in parsed.GetRequiredValue(threads) select (b, t)];
            using var progress = new ProgressLine(console, "combinations", cases.Length);
            var rows = Time(compiled, Path.GetFileName(path), cases, duration, progress, cancellation);
            if (parsed.GetValue(json)) console.WriteJson(new(rows), ResultJson.Default.BenchResult);
            else Print(console, rows);
            return CommandLine.Success;
        }, cancellation));
        return command;
    }

    static BenchRow[] Time(
        CompiledModel model, string name, (int Batch, int Threads)[] cases, TimeSpan duration, ProgressLine progress,
        CancellationToken cancellation)
    {
        var rows = new List<BenchRow>();
        foreach (var (batch, threads) in cases)
        {
            var latency = LatencyBenchmark.Run(model, batch, threads, duration, cancellation);
            rows.Add(new("shiftadd", name, batch, threads, latency.MedianMs, latency.MinMs, latency.MaxMs));
            progress.Report(rows.Count);
        }
        return [.. rows];
    }

    static void Print(CommandConsole console, BenchRow[] rows)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("engine", "model");
        foreach (var name in (string[])["batch", "threads", "median ms", "min ms", "max ms", "images/s"])
            table.AddColumn(name, column => column.RightAligned());
        foreach (var row in rows)
            table.AddRow(
                row.Engine, CommandConsole.Cell(row.Model), $"{row.Batch}", $"{row.Threads}", $"{row.MedianMs:0.00}", $"{row.MinMs:0.00}",
                $"{row.MaxMs:0.00}", $"{1000 * row.Batch / row.MedianMs:0.0}");
        console.Write(table);
    }
}
