namespace ShiftAddVit.Cli.Tests;

public class StartupTests : CommandTests
{
    /// <summary>A copy of the program without what is native, and without the libraries of those names: what loads them fails.</summary>
    string Stripped(params string[] libraries)
    {
        var program = Directory.CreateDirectory(Folder["program"]).FullName;
        var assemblies = Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll").Select(file => Path.GetFileName(file));
        foreach (var name in assemblies.Append("shiftadd.runtimeconfig.json"))
            if (!libraries.Any(library => name.StartsWith(library, StringComparison.Ordinal)))
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
    public async Task What_needs_no_table_image_or_baseline_loads_no_library_for_it(params string[] words)
    {
        var model = Packed();
        var args = words.Select(word => word switch { "MODEL" => model, "OUT" => Folder["out.savit"], _ => word });
        using var process = ChildProcess.StartProgram(ChildProcess.Dotnet, [Stripped("Spectre", "NetVips", "Microsoft.ML"), .. args]);
        (await process.Finish()).Succeeded();
    }

    [Fact]
    public async Task What_prints_a_table_needs_its_library()
    {
        using var process = ChildProcess.StartProgram(ChildProcess.Dotnet, [Stripped("Spectre"), "knobs"]);
        Assert.Contains("Spectre", (await process.Finish()).Error);
    }

    [Fact]
    public async Task A_platform_without_the_native_library_is_told_so()
    {
        var onnx = Path.Combine(AppContext.BaseDirectory, "Fixtures", "linear.onnx");
        using var process = ChildProcess.StartProgram(ChildProcess.Dotnet, [Stripped(), "bench", Packed(), "--against", onnx]);
        (await process.Finish()).Refused(CommandLine.BadInput, "ONNX Runtime: its native library is not there");
    }
}
