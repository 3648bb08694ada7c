using System.Text;

namespace ShiftAddVit.Imaging.Tests;

/// <summary>Files made by eng/golden/make_image_fixtures.py and make_golden_crops.py.</summary>
static class Fixture
{
    public static string PathOf(params string[] parts) => Path.Combine([AppContext.BaseDirectory, "Fixtures", .. parts]);

    public static byte[] Bytes(string name) => File.ReadAllBytes(PathOf("Decode", name));

    public static TheoryData<string> Names(string folder, string extension)
    {
        var files = Directory.GetFiles(PathOf(folder), "*" + extension).Order(StringComparer.Ordinal);
        return [.. files.Select(path => Path.GetFileNameWithoutExtension(path))];
    }

    /// <summary>Reads the P6 files that Pillow writes: three lines of header, then the levels.</summary>
    public static RgbImage ReadPpm(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var header = Encoding.ASCII.GetString(bytes, 0, Math.Min(bytes.Length, 32)).Split('\n');
        Assert.Equal(("P6", "255"), (header[0], header[2]));
        var size = header[1].Split(' ');
        var start = header[0].Length + header[1].Length + header[2].Length + 3;
        return new(int.Parse(size[0]), int.Parse(size[1]), bytes[start..]);
    }
}

/// <summary>A directory that lives as long as a test.</summary>
sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("shiftadd-imaging-").FullName;

    public string File(string name, byte[] content)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllBytes(path, content);
        return path;
    }

    public string File(string name, string content = "") => File(name, Encoding.UTF8.GetBytes(content));

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
