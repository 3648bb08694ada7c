using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace ShiftAddVit.Tests.Repository;

/// <summary>The tables of docs/performance.md that are made from what eng/Measure.cs writes about one model and about kernels.</summary>
static class PerformanceTables
{
    const string ChosenForTwoShifts = "MatShift_U8P4P4I32_6x64_Avx512Vnni", Float32 = "MatMul_F32F32F32_6x64_Avx512";

    /// <summary>How many of the shapes of kernels.json, its first, are the paper's.</summary>
    const int PaperShapes = 4;

    static readonly string[] AllEpilogues = ["scales and bias", "residual", "gelu", "quantised heads"];

    static readonly (string Kernel, string Label)[] AllPrimitives =
    [
        (ChosenForTwoShifts, "MatShift, two terms: byte dot products (what runs)"), ("MatMul_U8S8I32_6x64_Avx512Vnni", "S8 MatMul: byte dot products"),
        ("MatShift_U8P4I32_8x32_Avx512_Shift", "MatShift, one term: real shifts and adds"),
        ("MatShift_U8P4P4I32_8x32_Avx512_Shift", "MatShift, two terms: real shifts and adds"),
        ("MatShift_U8P4I32_3x32_Avx512_LookUp", "MatShift, one term: table look-up"),
        ("MatShift_U8P4P4I32_3x32_Avx512_LookUp", "MatShift, two terms: table look-up"), (Float32, "fp32 MatMul"),
        ("FakeShift_F32P4F32_6x64_Avx512", "fake shift"), ("MatDistance_U8S8I32_6x32_Avx512", "AdderNet (L1)"),
        ("MatMul_B1B1I32_12x32_Avx512", "one-bit codes: popcount"),
    ];

    /// <summary>
    /// Where a call's time goes, and what each kind of work would take at the least. Results without floors have those of products, which follow
    /// from the peak.
    /// </summary>
    public static string Budget() => Tables("scaling.json", result =>
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
    public static string Scaling() => Tables("scaling.json", result =>
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
    public static string Startup() => Tables("startup.json", result =>
    {
        var text = new StringBuilder("| published as | processors | median of 10, ms | fastest, ms | most memory, MB |\n|---|---|---|---|---|\n");
        foreach (var row in Rows(result))
            text.Append(Line($"| {row["published"]} | {row["processors"]} | {row["median_ms"]} | {row["min_ms"]} | {row["peak_mb"]} |"));
        return text.ToString();
    });

    /// <summary>The chosen kernel for two shifts with each epilogue, in percent of the peak; int32 also of what storing it allows.</summary>
    public static string Epilogues() => Tables("kernels.json", result =>
    {
        var text = new StringBuilder(Header(["M x K x N", "peak, G/s", "stores alone, G/s", "int32, of the lower", .. AllEpilogues]));
        foreach (var row in Rows(result))
        {
            var (peak, stores) = (Number(row, "peak_byte_products"), Number(row, "stores"));
            var timed = row["kernels"]!.AsArray().Concat(row["epilogues"]!.AsArray()).ToDictionary(it => $"{it!["name"]}", it => it!);
            var rate = Number(timed[ChosenForTwoShifts], "giga_operations_per_second");
            var cells = AllEpilogues.Select(epilogue => timed.TryGetValue($"{ChosenForTwoShifts} + {epilogue}", out var it)
                ? Line($"{100 * Number(it, "share_of_peak"):0}", end: "") : "-");
            var ofLower = 100 * rate / Math.Min(peak, stores);
            text.Append(Line($"| {Shape(row)} | {peak:0} | {stores:0} | {ofLower:0} | {string.Join(" | ", cells)} |"));
        }
        return text.ToString();
    });

    /// <summary>How many times as fast as fp32 MatMul each way to compute is, on the paper's shapes.</summary>
    public static string Primitives() => Tables("kernels.json", result =>
    {
        var shapes = Rows(result).Take(PaperShapes).ToArray();
        var text = new StringBuilder(Header(["kernel", .. shapes.Select(Shape)]));
        foreach (var (name, label) in AllPrimitives)
            text.Append(Line($"| {label} | {string.Join(" | ", shapes.Select(shape => Cell(shape, name, "speedup_over_float32", "0.00", 1)))} |"));
        var shares = shapes.Select(shape => Cell(shape, Float32, "share_of_peak", "0", 100));
        return text.Append(Line($"| fp32 MatMul, % of the rate of fused multiply-adds | {string.Join(" | ", shares)} |")).ToString();
    });

    /// <summary>Our fp32 MatMul beside ONNX Runtime's.</summary>
    public static string MatMul() => Tables("matmul.json", result =>
    {
        var text = new StringBuilder(Header("M x K x N", "shiftadd, ms", "ONNX Runtime, ms", "ratio of the medians", "of the fastest"));
        foreach (var row in Rows(result))
        {
            var (ours, theirs) = (Number(row, "median_ms"), Number(row, "onnxruntime_median_ms"));
            text.Append(Line($"| {Shape(row)} | {ours:0.000} | {theirs:0.000} | {Number(row, "ratio"):0.00} | {Number(row, "ratio_of_min"):0.00} |"));
        }
        return text.ToString();
    });

    static string Cell(JsonNode shape, string kernel, string number, string format, double scale) =>
        (scale * Number(shape["kernels"]!.AsArray().Single(it => $"{it!["name"]}" == kernel)!, number)).ToString(format, CultureInfo.InvariantCulture);

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

    static string Tables(string name, Func<JsonNode, string> table)
    {
        var text = new StringBuilder();
        foreach (var result in RepositoryFiles.Results(name))
        {
            text.Append(Line($"Machine: {result["cpu"]}, {result["runtime"]}; `{result["command"]}`, load before it {result["load"]}.\n"));
            text.Append(table(result));
        }
        return text.ToString();
    }

    static IEnumerable<JsonNode> Rows(JsonNode result) => result["rows"]!.AsArray().Select(row => row!);

    static double Number(JsonNode row, string name) => row[name]!.GetValue<double>();

    static string Line(FormattableString text, string end = "\n") => text.ToString(CultureInfo.InvariantCulture) + end;
}
