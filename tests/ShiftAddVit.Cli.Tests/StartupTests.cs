namespace ShiftAddVit.Cli.Tests;

public class StartupTests : CommandTests
{
    /// <summary>A copy of the program without the libraries for tables and images: what loads them fails.</summary>
    string Stripped()
    {
        var program = Directory.CreateDirectory(Folder["program"]).FullName;
        var assemblies = Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll").Select(file => Path.GetFileName(file));
        foreach (var name in assemblies.Append("shiftadd.runtimeconfig.json"))
            if (!name.StartsWith("Spectre", StringComparison.Ordinal) && !name.StartsWith("NetVips", StringComparison.Ordinal))
                File.Copy(Path.Combine(AppContext.BaseDirectory, name), Path.Combine(program, name));
        return Path.Combine(program, "shiftadd.dll");
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("--help")]
    [InlineData("knobs", "--json")]
    [InlineData("inspect", "MODEL", "--json")]
    [InlineData("bench", "MODEL", "--seconds", "1", "--json")]
    [InlineData("reparameterize", "MODEL", "-o", "OUT", "--json")]
    public async Task What_prints_no_table_and_reads_no_image_loads_no_library_for_it(params string[] words)
    {
        var model = Packed();
        var args = words.Select(word => word switch { "MODEL" => model, "OUT" => Folder["out.savit"], _ => word });
        using var process = ChildProcess.StartProgram(ChildProcess.Dotnet, [Stripped(), .. args]);
        (await process.Finish()).Succeeded();
    }

    [Fact]
    public async Task What_prints_a_table_needs_its_library()
    {
        using var process = ChildProcess.StartProgram(ChildProcess.Dotnet, [Stripped(), "knobs"]);
        Assert.Contains("Spectre", (await process.Finish()).Error);
    }
}
