using System.Text.Json;

namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>Files made by PyTorch, and what numpy says they hold (eng/fixtures/make_checkpoint_fixtures.py).</summary>
static class Fixture
{
    public readonly record struct Expected(string Name, string Type, int[] Shape, float[] Values);

    static string Directory { get; } = Path.Combine(RepositoryRoot(), "tests", "ShiftAddVit.Tests", "Checkpoints", "Fixtures");

    public static string Find(string name) => Path.Combine(Directory, name);

    public static byte[] Bytes(string name) => File.ReadAllBytes(Find(name));

    public static List<Expected> ExpectedOf(string name)
    {
        using var json = JsonDocument.Parse(Bytes("expected.json"));
        return [.. json.RootElement.GetProperty(name).EnumerateArray().Select(tensor => new Expected(
            tensor.GetProperty("name").GetString()!,
            tensor.GetProperty("type").GetString()!,
            [.. tensor.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt32())],
            [.. tensor.GetProperty("values").EnumerateArray().Select(value => (float)value.GetDouble())]))];
    }

    static string RepositoryRoot()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "ShiftAddVit.slnx"))) directory = Path.GetDirectoryName(directory)!;
        return directory;
    }
}
