using System.CommandLine;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tuning;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd tune</c>: what is fastest on this machine for a model's shapes.</summary>
static class TuneVerb
{
    const int DefaultSeconds = 1;

    public static Command Create(CommandConsole console)
    {
        var model = CommonOptions.File("MODEL", "Packed model or checkpoint");
        var threads = CommonOptions.List("--threads", "Numbers of threads to tune for (default: 1, and what run uses)", Knobs.MaxThreads);
        threads.DefaultValueFactory = null;
        var json = CommonOptions.Json();
        var seconds = CommonOptions.Positive("--seconds", $"The most that a choice takes (default: {DefaultSeconds})", "S");
        var experts = CommonOptions.File("--experts", "Also time the experts of each mixture and write their latencies for training", "FILE.json");
        var command = new ExampleCommand(
            "tune", "Time the kernels for a model's shapes on this machine and keep the fastest", "shiftadd tune deit_tiny.savit --threads 1,2")
        {
            model, threads, seconds, experts, json,
        };
        var options = new ModelOptions().AddTo(command, images: false);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var (registry, path) = (KernelRegistry.Default, parsed.GetRequiredValue(model));
            var cache = Cache(registry, out var reason);
            cache?.RequireWritable();
            var graph = options.Open(parsed, path).Graph;
            if (parsed.GetValue(experts) is { } target) RequireExperts(target, path, graph);
            int[] teams = [.. (parsed.GetValue(threads) is { Length: > 0 } given ? given : [1, Knobs.Threads]).Distinct()];
            using var progress = new ProgressLine(console, "choices", Tuner.Choices(graph, teams.Length));
            var tuner = new Tuner(registry, TimeSpan.FromSeconds(parsed.GetValue(seconds) ?? DefaultSeconds));
            var found = tuner.Tune(graph, teams, progress, cancellation);
            if (cache is not null) console.WriteFile(() => cache.Write(registry, found.Choices), cancellation);
            var latencies = parsed.GetValue(experts) is { } file ? MeasureExperts(console, tuner, graph, found.Choices, file, cancellation) : null;
            var result = new TuneResult(Path.GetFileName(path), cache?.Path, [.. found.Decisions.Select(Describe)]) { Mixtures = latencies };
            if (parsed.GetValue(json)) console.WriteJson(result, ResultJson.Default.TuneResult);
            else Print(console, result, reason);
            return CommandLine.Success;
        }, cancellation));
        return command;
    }

    /// <summary>Where the choices are kept. What is fastest among a part of the kernels is not: it would slow the next run down.</summary>
    static TuningCache? Cache(KernelRegistry registry, out string reason)
    {
        var cache = TuningCache.Default;
        reason = cache.Path is null ? "SHIFTADD_CACHE says so" : "SHIFTADD_MAX_ISA, SHIFTADD_KERNEL or SHIFTADD_GENERATED_CODE leaves kernels out";
        return cache.Path is null || registry.IsRestricted ? null : cache;
    }

    static void RequireExperts(string file, string path, VitGraph graph)
    {
        if (!graph.Mixtures().Any())
            throw new ShiftAddVitException($"--experts: {path} has no mixtures of experts to time; models made with reparameterize --moe have");
        AtomicFile.RequireWritable(file);
    }

    static MixtureLatencyRow[] MeasureExperts(
        CommandConsole console, Tuner tuner, VitGraph graph, TunedChoices tuned, string file, CancellationToken cancellation)
    {
        var latencies = tuner.MeasureExperts(graph, tuned, cancellation);
        console.WriteFile(() => latencies.Save(file), cancellation);
        return
        [
            .. latencies.Mixtures.Select(mixture => new MixtureLatencyRow(mixture.Layer, [.. mixture.Experts.Select(Describe)])),
        ];
    }

    static ExpertLatencyRow Describe(ExpertLatency expert) => new(expert.Format, expert.Microseconds, expert.Alpha, expert.Share);

    static DecisionRow Describe(TuningDecision d) => new(
        d.Subject, d.Pick.Name, d.Pick.Microseconds, d.RunnerUp?.Name, d.RunnerUp?.Microseconds, d.Static,
        d.TimeOf(d.Static).Microseconds, 100 * (d.GainOverStatic - 1));

    static void Print(CommandConsole console, MixtureLatencyRow[] mixtures)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("mixture", "expert");
        foreach (var name in (string[])["us a token", "alpha", "share asked for"]) table.AddColumn(name, column => column.RightAligned());
        foreach (var mixture in mixtures)
            foreach (var expert in mixture.Experts)
                table.AddRow(
                    CommandConsole.Cell(mixture.Layer), expert.Format, $"{expert.UsPerToken:0.000}", $"{expert.Alpha:0.000}", $"{expert.Share:P1}");
        console.Write(table);
    }

    static void Print(CommandConsole console, TuneResult result, string reason)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("shape", "pick");
        table.AddColumn("us", column => column.RightAligned()).AddColumn("runner-up");
        foreach (var name in (string[])["us", "gain, %"]) table.AddColumn(name, column => column.RightAligned());
        foreach (var row in result.Results)
            table.AddRow(
                row.Subject, row.Pick, $"{row.PickUs:0.0}", row.RunnerUp ?? "-", row.RunnerUpUs is { } us ? $"{us:0.0}" : "-",
                $"{row.GainPercent:0.0}");
        console.Write(table);
        if (result.Mixtures is { } mixtures) Print(console, mixtures);
        console.WriteLine(result.Cache is { } path ? $"kept in {path}" : $"not kept: {reason}");
    }
}
