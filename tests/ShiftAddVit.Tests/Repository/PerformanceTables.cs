using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using static ShiftAddVit.Tests.Repository.ResultTables;

namespace ShiftAddVit.Tests.Repository;

/// <summary>The tables of docs/performance.md that are made from what eng/Measure.cs writes about one model and about kernels.</summary>
static class PerformanceTables
{
    const string TwoShifts = "MatShift_U8P4P4I32", Float32 = "MatMul_F32F32F32";

    /// <summary>How many of the shapes of kernels.json, its first, are the paper's.</summary>
    const int PaperShapes = 4;

    static readonly string[] AllEpilogues = ["scales and bias", "residual", "gelu", "quantised heads"];

    /// <summary>Operation and types, and the schedule where it is not the kernel that runs.</summary>
    static readonly (string Job, string Schedule, string Label)[] AllPrimitives =
    [
        (TwoShifts, "", "MatShift, two terms: what runs"), ("MatMul_U8S8I32", "", "S8 MatMul: what runs"),
        ("MatShift_U8P4I32", "_Shift", "MatShift, one term: real shifts and adds"),
        (TwoShifts, "_Shift", "MatShift, two terms: real shifts and adds"),
        ("MatShift_U8P4I32", "_LookUp", "MatShift, one term: table look-up"),
        (TwoShifts, "_LookUp", "MatShift, two terms: table look-up"), (Float32, "", "fp32 MatMul"),
        ("FakeShift_F32P4F32", "", "fake shift"), ("MatDistance_U8S8I32", "", "AdderNet (L1)"),
        ("MatMul_B1B1I32", "", "one-bit codes: popcount"),
    ];

    static readonly string[] AllFormats = ["F32", "S8", "P4", "P4P4", "P5"];

    /// <summary>
    /// Where a call's time goes, and what each kind of work would take at the least. Results without floors have those of products, which follow
    /// from the peak.
    /// </summary>
    public static string Budget() => Measured("scaling.json", result =>
    {
        var row = Rows(result).First(it => it["budget"] is not null);
        var parts = row["budget"]!.AsArray().Select(part => part!).ToArray();
        var (peak, all) = (Number(row, "peak_byte_products"), parts.Sum(part => Number(part, "ms")));
        var text = new StringBuilder("| work | multiply-adds | floor, ms | measured, ms | share | gap to the floor |\n|---|---|---|---|---|---|\n");
        foreach (var part in parts) text.Append(Part($"{part["work"]}", Number(part, "multiply_adds"), Number(part, "ms"), Floor(part, peak), all));
        var (operations, floor) = (parts.Sum(part => Number(part, "multiply_adds")), parts.Sum(part => Floor(part, peak) ?? 0));
        return text.Append(Line($"| all | {operations / 1e6:0} M | {floor:0.00} | {all:0.00} | | |")).ToString();
    });

    /// <summary>Time an image over that of a batch of one, and over that at the smallest side, beside the same ratio of multiply-adds.</summary>
    public static string Scaling() => Measured("scaling.json", result =>
    {
        var text = new StringBuilder(
            "| side | batch | ms a call | time an image / of batch 1 | time / of 224 px | multiply-adds / of 224 px |\n|---|---|---|---|---|---|\n");
        var rows = Rows(result).ToArray();
        foreach (var row in rows)
        {
            var alone = rows.First(it => Number(it, "side") == Number(row, "side") && Number(it, "batch") == 1);
            var time = Number(row, "min_ms") / Number(row, "batch") / Number(alone, "min_ms");
            var sides = Number(row, "batch") > 1 ? "| | |" : $"| {Ratio(row, rows[0], "min_ms")} | {Ratio(row, rows[0], "multiply_adds")} |";
            text.Append(Line($"| {row["side"]} | {row["batch"]} | {Number(row, "min_ms"):0.00} | {time:0.00} {sides}"));
        }
        return text.ToString();
    });

    /// <summary>From the start of the process to the answer.</summary>
    public static string Startup() => Measured("startup.json", result =>
    {
        var text = new StringBuilder("| published as | processors | median of 10, ms | fastest, ms | most memory, MB |\n|---|---|---|---|---|\n");
        foreach (var row in Rows(result))
            text.Append(Line($"| {row["published"]} | {row["processors"]} | {row["median_ms"]} | {row["min_ms"]} | {row["peak_mb"]} |"));
        return text.ToString();
    });

    /// <summary>The chosen kernel for two shifts with each epilogue, in percent of the peak; int32 also of what storing it allows.</summary>
    public static string Epilogues() => Measured("kernels.json", result =>
    {
        var text = new StringBuilder(Header(["M x K x N", "peak, G/s", "stores alone, G/s", "int32, of the lower", .. AllEpilogues]));
        foreach (var row in Rows(result))
        {
            var (peak, stores, chosen) = ((double?)row["peak_byte_products"], Number(row, "stores"), Kernel(row, TwoShifts, ""));
            var cells = AllEpilogues.Select(epilogue => row["epilogues"]!.AsArray().SingleOrDefault(it => $"{it!["name"]}" == $"{chosen["name"]} + {epilogue}"))
                .Select(it => Cell(it, "share_of_peak", "0", 100));
            var ofLower = 100 * Number(chosen, "giga_operations_per_second") / Math.Min(peak ?? stores, stores);
            text.Append(Line($"| {Shape(row)} | {(peak is null ? "-" : $"{peak:0}")} | {stores:0} | {ofLower:0} | {string.Join(" | ", cells)} |"));
        }
        return text.ToString();
    });

    /// <summary>How many times as fast as fp32 MatMul each way to compute is, on the paper's shapes.</summary>
    public static string Primitives() => Measured("kernels.json", result =>
    {
        var shapes = Rows(result).Take(PaperShapes).ToArray();
        var text = new StringBuilder(Header(["kernel", .. shapes.Select(Shape)]));
        foreach (var (job, schedule, label) in AllPrimitives)
        {
            var cells = shapes.Select(shape => Cell(Kernel(shape, job, schedule), "speedup_over_float32", "0.00", 1));
            text.Append(Line($"| {label} | {string.Join(" | ", cells)} |"));
        }
        var shares = shapes.Select(shape => Cell(Kernel(shape, Float32, ""), "share_of_peak", "0", 100));
        return text.Append(Line($"| fp32 MatMul, % of the rate of fused multiply-adds | {string.Join(" | ", shares)} |")).ToString();
    });

    /// <summary>By how much what runs untuned is slower than the fastest kernel: the most of all that may become of a layer's outputs.</summary>
    public static string StaticPicks() => Measured("kernels.json", result =>
    {
        if (Rows(result).Any(row => row["picks"] is null)) return "Not measured.\n";
        var text = new StringBuilder(Header(["M x K x N", .. AllFormats]));
        foreach (var row in Rows(result)) text.Append(Line($"| {Shape(row)} | {string.Join(" | ", AllFormats.Select(format => Gap([row], format)))} |"));
        return text.Append(Line($"| the most | {string.Join(" | ", AllFormats.Select(format => Gap(Rows(result), format)))} |")).ToString();
    });

    /// <summary>Our fp32 MatMul beside ONNX Runtime's.</summary>
    public static string MatMul() => Measured("matmul.json", result =>
    {
        var text = new StringBuilder(Header("M x K x N", "shiftadd, ms", "ONNX Runtime, ms", "ratio of the medians", "of the fastest"));
        foreach (var row in Rows(result))
        {
            var (ours, theirs) = (Number(row, "median_ms"), Number(row, "onnxruntime_median_ms"));
            text.Append(Line($"| {Shape(row)} | {ours:0.000} | {theirs:0.000} | {Number(row, "ratio"):0.00} | {Number(row, "ratio_of_min"):0.00} |"));
        }
        return text.ToString();
    });

    /// <summary>The kernel of a schedule, else the one that runs.</summary>
    static JsonNode Kernel(JsonNode shape, string job, string schedule) => shape["kernels"]!.AsArray().Single(it =>
        $"{it!["name"]}".StartsWith($"{job}_", StringComparison.Ordinal)
        && (schedule == "" ? $"{it["verdict"]}" == "chosen" : $"{it["name"]}".EndsWith(schedule, StringComparison.Ordinal)))!;

    /// <summary>What this machine lacks has no number.</summary>
    static string Cell(JsonNode? row, string number, string format, double scale) =>
        (double?)row?[number] is { } value ? (scale * value).ToString(format, CultureInfo.InvariantCulture) : "-";

    static string Gap(IEnumerable<JsonNode> rows, string format) => rows.SelectMany(row => row["picks"]!.AsArray())
        .Where(pick => $"{pick!["layer"]}".StartsWith($"{format} ", StringComparison.Ordinal)).Max(pick => Number(pick!, "slower_percent"))
        .ToString("0.0", CultureInfo.InvariantCulture);

    static string Shape(JsonNode row) => $"{row["m"]} x {row["k"]} x {row["n"]}";

    static string Ratio(JsonNode row, JsonNode other, string number) => Line($"{Number(row, number) / Number(other, number):0.00}", end: "");

    static string Header(params IReadOnlyCollection<string> columns) =>
        $"| {string.Join(" | ", columns)} |\n|{string.Concat(Enumerable.Repeat("---|", columns.Count))}\n";

    static double? Floor(JsonNode part, double peak) => part["floor_ms"] is not null ? Number(part, "floor_ms")
        : Number(part, "multiply_adds") is > 0 and var operations ? operations / peak / 1e6 : null;

    static string Part(string work, double operations, double ms, double? floor, double all)
    {
        var (count, least) = (operations == 0 ? "-" : Line($"{operations / 1e6:0.0} M", end: ""), floor is null ? "-" : Line($"{floor:0.00}", end: ""));
        var gap = floor is null ? "-" : Line($"{100 * (ms - floor) / all:0.0} %", end: "");
        return Line($"| {work} | {count} | {least} | {ms:0.00} | {100 * ms / all:0.0} % | {gap} |");
    }
}
