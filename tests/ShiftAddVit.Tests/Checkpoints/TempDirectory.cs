namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>A directory that goes away with the test.</summary>
sealed class TempDirectory : IDisposable
{
    readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("shiftaddvit");

    public string Path => _directory.FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        System.IO.File.WriteAllBytes(File(name), bytes);
        return File(name);
    }

    public void Dispose() => _directory.Delete(recursive: true);
}
