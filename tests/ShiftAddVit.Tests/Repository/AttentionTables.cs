using System.Text;
using static ShiftAddVit.Tests.Repository.ResultTables;

namespace ShiftAddVit.Tests.Repository;

/// <summary>The tables made from what eng/Measure.cs writes about binary attention and mixtures.</summary>
static class AttentionTables
{
    /// <summary>A row for each form and set of blocks: top-1 and top-5, fitted and not.</summary>
    public static string Accuracy() => Measured("attention.json", result =>
    {
        var text = new StringBuilder("| attention | codes | blocks | top-1 / top-5 | not fitted |\n|---|---|---|---|---|\n");
        foreach (var pair in Rows(result).Chunk(2))
        {
            var (fitted, not) = (pair[0], pair[1]);
            var blocks = fitted["blocks"]!.AsArray().Select(block => $"{block}").ToArray();
            var which = blocks.Length switch { 12 => "all 12", 11 => "all but 0", _ => string.Join(' ', blocks) };
            text.Append(Line($"| {fitted["form"]} | {fitted["codes"]} | {which} | {fitted["top1"]} / {fitted["top5"]} | {not["top1"]} / {not["top5"]} |"));
        }
        return text.ToString();
    });

    /// <summary>Taylor attention beside ONNX Runtime's softmax, at both sizes.</summary>
    public static string Beside() => Measured("linear.json", result =>
    {
        var text = new StringBuilder("| model | shiftadd | ONNX Runtime float32 | ratio |\n|---|---|---|---|\n");
        foreach (var row in Rows(result).Where(row => row["against"] is not null))
        {
            var (ours, theirs) = (row["results"]![0]!, row["results"]![1]!);
            text.Append(Line($"| {row["against"]} | {Number(ours, "median_ms"):0.00} ms | {Number(theirs, "median_ms"):0.00} ms | {Number(theirs, "ratio"):0.00}x |"));
        }
        return text.ToString();
    });

    /// <summary>How time grows with the tokens, and with which exponent from the first size on.</summary>
    public static string Growth() => Measured("linear.json", result =>
    {
        var rows = Rows(result).Where(row => row["tokens"] is not null).ToArray();
        var text = new StringBuilder("| model | side | tokens | ms | exponent from the smallest on |\n|---|---|---|---|---|\n");
        foreach (var row in rows)
        {
            var first = rows.First(it => $"{it["form"]}" == $"{row["form"]}");
            var (time, tokens) = (Number(row, "min_ms") / Number(first, "min_ms"), Number(row, "tokens") / Number(first, "tokens"));
            var exponent = row == first ? "-" : Line($"{Math.Log(time) / Math.Log(tokens):0.00}", end: "");
            text.Append(Line($"| {row["form"]} | {row["side"]} | {row["tokens"]} | {Number(row, "min_ms"):0.00} | {exponent} |"));
        }
        return text.ToString();
    });

    /// <summary>What mixtures cost, both ways to state it, and the shares that the latencies of experts ask for.</summary>
    public static string Mixtures() => Measured("mixtures.json", result =>
    {
        string[] dispatch = ["router", "gather"];
        var text = new StringBuilder("| experts | real, ms | ideal parallel, ms | dispatch, % of the mixtures | shares of the last expert asked for |\n|---|---|---|---|---|\n");
        foreach (var row in Rows(result))
        {
            var budget = row["budget"]!.AsArray().ToDictionary(part => $"{part!["work"]}".ToLowerInvariant(), part => Number(part!, "ms"));
            var routed = dispatch.Sum(part => budget.GetValueOrDefault(part));
            var shares = row["latencies"]!["mixtures"]!.AsArray().Select(it => Number(it!["experts"]![1]!, "share")).ToArray();
            text.Append(Line(
                $"| {row["experts"]} | {Number(row["results"]![0]!, "median_ms"):0.00} | {Number(row["results"]![0]!, "ideal_parallel_ms"):0.00} | {100 * routed / (routed + budget["experts"]):0.0} | {100 * shares.Min():0}-{100 * shares.Max():0} % |"));
        }
        return text.ToString();
    });
}
