using System.Globalization;
using System.Text.Json.Nodes;

namespace ShiftAddVit.Tests.Repository;

/// <summary>The tables made from benchmarks/results/MACHINE/against-onnxruntime.json.</summary>
static class AgainstTables
{
    /// <summary>Processes that wanted a processor before the measurement began: with fewer the machine was idle.</summary>
    const double MaxLoad = 1;

    static readonly Dictionary<string, string> Names = new() { ["deit_tiny"] = "DeiT-Tiny", ["deit_small"] = "DeiT-Small" };

    /// <summary>A row for each model with these linear layers, a column for each combination: our time, and what the baselines take in ours.</summary>
    public static string Ratios(string linear) => Tables(
        " | batch 1, 1 thread | batch 1, 2 threads | batch 8, 1 thread | batch 8, 2 threads |\n|---|---|---|---|---|---|\n",
        (row, disturbed) => $"{row["linear"]}" != linear ? [] : [string.Concat(Combinations(row).Select(c => disturbed && IsShared(c.Ours)
            ? " - |" : $" {Ms(c.Ours)}: {Times(c.Float)}, {Times(Faster(c.Dynamic, c.Qdq))} |"))]);

    /// <summary>A row for each form and combination: the time of each engine, and in brackets the largest difference of its logits to ours.</summary>
    public static string Details() => Tables(
        " | batch | threads | shiftadd | float32 | int8 dynamic | int8 QDQ |\n|---|---|---|---|---|---|---|---|\n",
        (row, disturbed) => Combinations(row).Where(c => !(disturbed && IsShared(c.Ours))).Select(c =>
            $" {c.Ours["batch"]} | {c.Ours["threads"]} | {Ms(c.Ours)} | {Cell(c.Float)} | {Cell(c.Dynamic)} | {Cell(c.Qdq)} |"));

    /// <summary>One image and one thread, call by call: the caches are full of the other engines' data.</summary>
    public static string Cold() => Tables(
        " | shiftadd | float32 | int8 dynamic | int8 QDQ |\n|---|---|---|---|---|---|\n",
        (row, _) => Combinations(row, "cold").Select(c => $" {Ms(c.Ours)} | {Cell(c.Float)} | {Cell(c.Dynamic)} | {Cell(c.Qdq)} |"));

    static string Tables(string header, Func<JsonNode, bool, IEnumerable<string>> cells) => ResultTables.Of("against-onnxruntime.json", result =>
    {
        var disturbed = result["load"]?.GetValue<double>() >= MaxLoad;
        var remark = disturbed ? $" **Provisional: other work kept the machine busy (load {result["load"]}); two threads are left out.**" : "";
        var rows = ResultTables.Rows(result)
            .SelectMany(row => cells(row, disturbed).Select(it => $"| {Names[$"{row["model"]}"]} | {row["linear"]} |{it}\n"));
        return ResultTables.Line(
            $"Machine: {result["cpu"]}, {result["processors"]} cores, {result["runtime"]}, ONNX Runtime {result["onnxruntime"]}.{remark}\n")
            + $"| model | linear layers{header}{string.Concat(rows)}";
    });

    /// <summary>The engines of each combination, in the order in which Measure.cs names the files.</summary>
    static IEnumerable<(JsonNode Ours, JsonNode Float, JsonNode Dynamic, JsonNode Qdq)> Combinations(JsonNode row, string part = "results") =>
        row[part]!.AsArray().Chunk(4).Select(engines => (engines[0]!, engines[1]!, engines[2]!, engines[3]!));

    /// <summary>Whether the threads of an engine wait for each other: work elsewhere on the machine then distorts its ratio to others.</summary>
    static bool IsShared(JsonNode engine) => engine["threads"]!.GetValue<int>() > 1;

    static double Ratio(JsonNode engine) => engine["ratio"]!.GetValue<double>();

    static JsonNode Faster(JsonNode one, JsonNode other) => Ratio(one) < Ratio(other) ? one : other;

    static string Times(JsonNode engine) => string.Create(CultureInfo.InvariantCulture, $"{Ratio(engine):0.00}x");

    static string Ms(JsonNode engine) => string.Create(CultureInfo.InvariantCulture, $"{engine["median_ms"]!.GetValue<double>():0.00} ms");

    static string Cell(JsonNode engine) => string.Create(
        CultureInfo.InvariantCulture, $"{Ms(engine)}, {Times(engine)} ({engine["max_logit_difference"]!.GetValue<double>():G2})");
}
