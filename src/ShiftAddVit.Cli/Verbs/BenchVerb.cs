using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Onnx;
using ShiftAddVit.Reports;
using ShiftAddVit.Tuning;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd bench</c>: latency of a model, alone or beside ONNX Runtime.</summary>
sealed class BenchVerb
{
    const int MaxBatch = 1024;
    const int DefaultSeconds = 3;

    /// <summary>Calls of which the fastest shows where its time went.</summary>
    const int BudgetCalls = 100;

    readonly CommandConsole _console;
    readonly ModelOptions _options = new();
    readonly Argument<string> _model = CommonOptions.File("MODEL", "Packed model or checkpoint");
    readonly Option<int[]> _batch = CommonOptions.List("--batch", "Images a call", MaxBatch);
    readonly Option<int[]> _threads = CommonOptions.List("--threads", "Threads a call", Knobs.MaxThreads);
    readonly Option<string[]> _against =
        CommonOptions.Files("--against", "Time ONNX Runtime with this file too, in turns; may be repeated", "FILE.onnx");
    readonly Option<int?> _seconds =
        CommonOptions.Positive("--seconds", $"How long to time each combination (default: {DefaultSeconds})", "S");
    readonly Option<bool> _budget = new("--budget") { Description = "Also say what one thread spends a call on, for the first batch size" };
    readonly Option<bool> _cold = new("--cold") { Description = "Make a turn one call: each finds the caches full of the others' data" };
    readonly Option<bool> _exact = CommonOptions.Exact();
    readonly Option<bool> _json = CommonOptions.Json();

    BenchVerb(CommandConsole console) => _console = console;

    public static Command Create(CommandConsole console)
    {
        var verb = new BenchVerb(console);
        var command = new ExampleCommand(
            "bench", "Time a model for each batch size and number of threads, alone or beside ONNX Runtime",
            "shiftadd bench deit_tiny.savit --batch 1,8 --threads 1,2 --against deit_tiny.onnx")
        {
            verb._model, verb._batch, verb._threads, verb._against, verb._seconds, verb._budget, verb._cold, verb._exact, verb._json,
        };
        verb._options.AddTo(command, images: false);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() => verb.Run(parsed, cancellation), cancellation));
        return command;
    }

    int Run(ParseResult parsed, CancellationToken cancellation)
    {
        var path = parsed.GetRequiredValue(_model);
        using var model = _console.Compile(_options.Open(parsed, path).Graph, parsed.GetValue(_exact));
        var (batches, files) = (parsed.GetRequiredValue(_batch), parsed.GetRequiredValue(_against));
        OnnxModel[] others = [.. files.Select(file => OnnxModel.Open(file, model.Architecture, batches))];
        var duration = TimeSpan.FromSeconds(parsed.GetValue(_seconds) ?? DefaultSeconds);
        (int Batch, int Threads)[] cases = [.. from b in batches from t in parsed.GetRequiredValue(_threads) select (b, t)];
        using var progress = new ProgressLine(_console, "combinations", cases.Length);
        var rows = new List<BenchRow>();
        for (var i = 0; i < cases.Length; i++, progress.Report(i))
            rows.AddRange(Time(model, Path.GetFileName(path), others, cases[i], duration, parsed.GetValue(_cold), cancellation));
        var peak = parsed.GetValue(_budget) ? MachinePeak.Measure() : null;
        var budget = peak is null ? null : Budget(model, batches[0], peak, cancellation);
        if (parsed.GetValue(_json))
            _console.WriteJson(
                new([.. rows]) { Budget = budget, PeakByteProducts = peak?.ByteProducts, PeakMultiplyAdds = peak?.MultiplyAdds }, ResultJson.Default.BenchResult);
        else
        {
            Print(rows, others.Length > 0);
            if (budget is not null) Print(budget);
        }
        return CommandLine.Success;
    }

    static BudgetRow[] Budget(CompiledModel model, int batch, MachinePeak peak, CancellationToken cancellation)
    {
        var images = LatencyBenchmark.RandomImages(model.Architecture, batch);
        using var engine = new SessionEngine(model, "", images, batch, threads: 1);
        var spent = TimeBudget.Measure(engine.Run, BudgetCalls, cancellation);
        var total = spent.Sum(part => part.Milliseconds);
        return
        [
            .. spent.Select(part => new BudgetRow(
                $"{part.Work}", part.Milliseconds, part.Milliseconds / total, batch * OperationCount.MultiplyAdds(model.Architecture, part.Work))
            {
                FloorMs = model.Exact ? null : batch * FloorOfImage(model.Architecture, part.Work, peak),
            }),
        ];
    }

    /// <summary>Products at the rate of byte dot products, but the head's, which is float32 as all multiplications are.</summary>
    static double? FloorOfImage(VitArchitecture architecture, Work work, MachinePeak peak) =>
        OperationCount.MultiplyAdds(architecture, work) / (work == Work.Head ? peak.MultiplyAdds : peak.ByteProducts) / 1e6
        + OperationCount.Multiplications(architecture, work) / peak.MultiplyAdds / 1e6;

    static BenchRow[] Time(
        CompiledModel model, string name, OnnxModel[] others, (int Batch, int Threads) given, TimeSpan duration, bool cold,
        CancellationToken cancellation)
    {
        var (batch, threads) = given;
        var images = LatencyBenchmark.RandomImages(model.Architecture, batch);
        var engines = new List<IBenchmarkEngine>();
        try
        {
            engines.Add(new SessionEngine(model, name, images, batch, threads));
            foreach (var other in others) engines.Add(other.CreateEngine(images, batch, threads));
            var latencies = LatencyBenchmark.Run(engines, duration, cold, cancellation);
            BenchRow[] rows = [.. engines.Zip(latencies, (engine, latency) => Row(engine, latency, engines[0], latencies[0], given))];
            if (model.HasMixtures) rows[0] = WithMixtures(rows[0], TimeBudget.MeasureMixtures(engines[0].Run, BudgetCalls, cancellation));
            return rows;
        }
        finally
        {
            engines.ForEach(engine => engine.Dispose());
        }
    }

    /// <summary>What the calling thread saw stands for all threads, which share the work evenly.</summary>
    static BenchRow WithMixtures(BenchRow row, MixtureTime time) => row with
    {
        IdealParallelMs = row.MedianMs * time.IdealParallel / time.Call, DispatchShare = time.Dispatch / (time.Dispatch + time.Experts),
    };

    static BenchRow Row(IBenchmarkEngine engine, Latency latency, IBenchmarkEngine ours, Latency ourLatency, (int Batch, int Threads) given)
    {
        var row = new BenchRow(
            engine.Name, engine.Model, given.Batch, given.Threads, latency.MedianMs, latency.MinMs, latency.MaxMs, latency.Spread,
            latency.Calls);
        if (engine == ours) return row;
        var difference = LogitDifference.Between(ours.Logits, engine.Logits);
        return row with
        {
            Ratio = latency.MedianMs / ourLatency.MedianMs, MaxLogitDifference = difference.Largest, LogitDifferenceShare = difference.Share,
        };
    }

    void Print(List<BenchRow> rows, bool compared)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("engine", "model");
        var mixed = rows.Exists(row => row.IdealParallelMs is not null);
        string[] mixtures = mixed ? ["ideal parallel ms", "dispatch"] : [];
        string[] comparison = compared ? ["time / ours", "logits differ by"] : [];
        foreach (var name in (string[])["batch", "threads", "median ms", "min ms", "max ms", "spread", "images/s", .. mixtures, .. comparison])
            table.AddColumn(name, column => column.RightAligned());
        foreach (var row in rows) table.AddRow([.. Cells(row), .. mixed ? Mixtures(row) : [], .. compared ? Comparison(row) : []]);
        _console.Write(table);
    }

    void Print(BudgetRow[] budget)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("work");
        foreach (var name in (string[])["ms", "share", "floor ms", "gap", "M multiply-adds", "G/s"]) table.AddColumn(name, column => column.RightAligned());
        foreach (var row in budget)
            table.AddRow(
                row.Work, $"{row.Ms:0.000}", $"{row.Share:P1}", row.FloorMs is { } floor ? $"{floor:0.000}" : "-",
                row.FloorMs is { } lowest ? $"{row.Share * (1 - lowest / row.Ms):P1}" : "-",
                row.MultiplyAdds == 0 ? "-" : $"{row.MultiplyAdds / 1e6:0.0}", row.MultiplyAdds == 0 ? "-" : $"{row.MultiplyAdds / row.Ms / 1e6:0}");
        _console.Write(table);
    }

    static string[] Cells(BenchRow row) =>
    [
        row.Engine, CommandConsole.Cell(row.Model), $"{row.Batch}", $"{row.Threads}", $"{row.MedianMs:0.00}", $"{row.MinMs:0.00}",
        $"{row.MaxMs:0.00}", $"{row.Spread:P1}", $"{1000 * row.Batch / row.MedianMs:0.0}",
    ];

    static string[] Mixtures(BenchRow row) => row.IdealParallelMs is { } ideal ? [$"{ideal:0.00}", $"{row.DispatchShare:P1}"] : ["-", "-"];

    static string[] Comparison(BenchRow row) => row.Ratio is { } ratio
        ? [$"{ratio:0.00}", $"{row.MaxLogitDifference:G2}{(row.LogitDifferenceShare is { } share ? $" ({share:P1} of range)" : "")}"]
        : ["1.00", "-"];
}
