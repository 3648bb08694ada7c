using System.Globalization;
using System.Text;

namespace ShiftAddVit.Tests.Repository;

/// <summary>What the documents say is what the code and the measurements say.</summary>
public class DocumentationTests
{
    const int MaxReadmeLines = 150;

    [Fact]
    public void The_readme_is_short() => Assert.InRange(RepositoryFiles.Read("README.md").Split('\n').Length, 1, MaxReadmeLines);

    [Fact]
    public void The_readme_shows_the_compiled_sample() =>
        AssertSection("README.md", "sample", $"```csharp\n{RepositoryFiles.Read("samples/ClassifyImages/Program.cs").TrimEnd()}\n```\n");

    [Fact]
    public void The_readme_shows_the_committed_measurements()
    {
        Assert.Contains("| shift2 |", Accuracy(), StringComparison.Ordinal);
        AssertSection("README.md", "results", Accuracy());
    }

    [Fact]
    public void The_measurements_beside_onnx_runtime_are_the_committed_ones()
    {
        AssertSection("README.md", "against", AgainstTables.Ratios("shift2"));
        AssertSection("docs/performance.md", "against", AgainstTables.Details());
        AssertSection("docs/performance.md", "cold", AgainstTables.Cold());
    }

    [Fact]
    public void Where_time_goes_and_how_it_grows_is_what_was_measured()
    {
        AssertSection("docs/performance.md", "budget", PerformanceTables.Budget());
        AssertSection("docs/performance.md", "scaling", PerformanceTables.Scaling());
        AssertSection("docs/performance.md", "startup", PerformanceTables.Startup());
    }

    [Fact]
    public void What_kernels_cost_is_what_was_measured()
    {
        AssertSection("docs/performance.md", "epilogues", PerformanceTables.Epilogues());
        AssertSection("docs/performance.md", "primitives", PerformanceTables.Primitives());
        AssertSection("docs/performance.md", "matmul", PerformanceTables.MatMul());
        AssertSection("docs/performance.md", "static", PerformanceTables.StaticPicks());
    }

    [Fact]
    public void What_attention_and_mixtures_keep_and_cost_is_what_was_measured()
    {
        AssertSection("docs/accuracy.md", "attention", AttentionTables.Accuracy());
        AssertSection("docs/performance.md", "linear", AttentionTables.Beside());
        AssertSection("docs/performance.md", "growth", AttentionTables.Growth());
        AssertSection("docs/performance.md", "mixtures", AttentionTables.Mixtures());
    }

    [Fact]
    public void The_knobs_are_documented() => AssertSection("docs/knobs.md", "knobs", KnobTable());

    [Fact]
    public void Every_package_is_justified()
    {
        var justified = RepositoryFiles.Read("docs/dependencies.md");
        var packages = RepositoryFiles.Read("Directory.Packages.props").Split('\n')
            .Where(line => line.Contains("<PackageVersion", StringComparison.Ordinal)).Select(line => line.Split('"')[1]).ToArray();
        Assert.NotEmpty(packages);
        Assert.All(packages, package => Assert.Contains($"| {package} |", justified, StringComparison.Ordinal));
    }

    [Fact]
    public void Links_between_documents_lead_somewhere()
    {
        string[] documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", .. Directory.GetFiles(Path.Combine(RepositoryFiles.Root, "docs"), "*.md")];
        foreach (var document in documents)
        {
            var path = Path.GetFullPath(document, RepositoryFiles.Root);
            foreach (var link in System.Text.RegularExpressions.Regex.Matches(File.ReadAllText(path), @"\]\(([^)#:]+)\)").Select(match => match.Groups[1].Value))
                Assert.True(Path.Exists(Path.GetFullPath(link, Path.GetDirectoryName(path)!)), $"{document}: {link} leads nowhere");
        }
    }

    static void AssertSection(string document, string name, string content) =>
        RepositoryFiles.AssertUpToDate(document, RepositoryFiles.ReplaceSection(RepositoryFiles.Read(document), name, content));

    static string KnobTable()
    {
        var table = new StringBuilder("| variable | allowed | default | purpose |\n|---|---|---|---|\n");
        foreach (var knob in Knobs.All)
            table.Append(CultureInfo.InvariantCulture, $"| `{knob.Name}` | {Escape(knob.Allowed)} | {(knob.Default is "" ? "none" : Escape(knob.Default))} | {Escape(knob.Purpose)} |\n");
        return table.ToString();
    }

    static string Escape(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    static string Accuracy() => ResultTables.Of("deit-tiny.json", result =>
        ResultTables.Line($"Machine: {result["cpu"]}, {result["processors"]} cores, {result["runtime"]}.\n")
        + "| linear layers | rounding | file, MB | top-1 | top-5 | ms, batch 1, 1 thread | ms, batch 8, 2 threads |\n|---|---|---|---|---|---|---|\n"
        + string.Concat(ResultTables.Rows(result).Select(row => ResultTables.Line(
            $"| {row["linear"]} | {row["method"]} | {row["bytes"]!.GetValue<long>() / 1e6:0.00} | {row["top1"]} | {row["top5"]} | {row["ms_batch1_threads1"]} | {row["ms_batch8_threads2"]} |"))));
}
