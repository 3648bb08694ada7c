using System.Text.Json.Nodes;

namespace ShiftAddVit.Tests.Repository;

/// <summary>The files of the checkout that the tests were built from.</summary>
static class RepositoryFiles
{
    /// <summary>Set to 1 (by eng/update-docs) to rewrite what is generated instead of failing when it is stale.</summary>
    const string UpdateVariable = "SHIFTADD_UPDATE_DOCS";

    public static string Root { get; } = FindRoot();

    public static string Read(string relativePath) => File.ReadAllText(Path.Combine(Root, relativePath));

    public static IEnumerable<string> Sources(string relativeFolder) =>
        Directory.EnumerateFiles(Path.Combine(Root, relativeFolder), "*.cs", SearchOption.AllDirectories);

    /// <summary>The measurements of that name, of every machine that has some.</summary>
    public static IEnumerable<JsonNode> Results(string name) =>
        Directory.EnumerateFiles(Path.Combine(Root, "benchmarks/results"), name, SearchOption.AllDirectories).Order()
            .Select(file => JsonNode.Parse(File.ReadAllText(file))!);

    /// <summary>Fails when a generated file differs from what it is generated from.</summary>
    public static void AssertUpToDate(string relativePath, string expected)
    {
        var path = Path.Combine(Root, relativePath);
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1") File.WriteAllText(path, expected);
        Assert.True(File.Exists(path) && File.ReadAllText(path) == expected, $"{relativePath} is stale: run eng/update-docs");
    }

    /// <summary>The text with what stands between two marker lines replaced.</summary>
    public static string ReplaceSection(string text, string name, string content)
    {
        var (begin, end) = ($"<!-- {name}:begin -->\n", $"<!-- {name}:end -->");
        var (first, last) = (text.IndexOf(begin, StringComparison.Ordinal), text.IndexOf(end, StringComparison.Ordinal));
        Assert.True(first >= 0 && last > first, $"no section {name}");
        return text[..(first + begin.Length)] + content + text[last..];
    }

    /// <summary>Up from where the tests were built to: source paths are mapped away in deterministic builds.</summary>
    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "ShiftAddVit.slnx")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("the tests run outside a checkout");
        return folder.FullName;
    }
}
