namespace ShiftAddVit.Cli;

/// <summary>Tells whether two paths lead to one file.</summary>
static class SameFile
{
    /// <summary>Compares the paths after every symbolic link on the way; the files need not exist.</summary>
    public static bool Is(string first, string second)
    {
        var ignoresCase = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS();
        return string.Equals(Resolve(first), Resolve(second), ignoresCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);
    }

    static string Resolve(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not { } directory) return full;
        var file = new FileInfo(Path.Combine(Resolve(directory), Path.GetFileName(full)));
        return file.LinkTarget is null ? file.FullName : Resolve(file.ResolveLinkTarget(returnFinalTarget: true)!.FullName);
    }
}
