using System.Globalization;
using System.Text.Json.Nodes;

namespace ShiftAddVit.Tests.Repository;

/// <summary>What all tables made from benchmarks/results/MACHINE/NAME.json have in common.</summary>
static class ResultTables
{
    /// <summary>The text of each machine that has such results, a blank line between two.</summary>
    public static string Of(string name, Func<JsonNode, string> text)
    {
        var texts = RepositoryFiles.Results(name).Select(text).ToArray();
        return texts.Length == 0 ? "Not measured yet.\n" : string.Join('\n', texts);
    }

    /// <summary>The same, each behind a line that says on what and how it was measured.</summary>
    public static string Measured(string name, Func<JsonNode, string> table) => Of(name, result =>
        Line($"Machine: {result["cpu"]}, {result["runtime"]}; `{result["command"]}`, load before it {result["load"]}.\n") + table(result));

    public static IEnumerable<JsonNode> Rows(JsonNode result) => result["rows"]!.AsArray().Select(row => row!);

    public static double Number(JsonNode row, string name) => row[name]!.GetValue<double>();

    public static string Line(FormattableString text, string end = "\n") => text.ToString(CultureInfo.InvariantCulture) + end;
}
