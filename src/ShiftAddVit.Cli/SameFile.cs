namespace ShiftAddVit.Cli;

/// <summary>Tells whether paths lead to one file.</summary>
static class SameFile
{
    /// <summary>Compares a path with others after every symbolic link on the way; the files need not exist.</summary>
    public static bool IsAny(string path, IEnumerable<string> others)
    {
        var ignoresCase = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS();
        return others.Select(Resolve).Contains(Resolve(path), ignoresCase ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);
    }

    static string Resolve(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(full) is not { } directory) return full;
        var file = new FileInfo(Path.Combine(Resolve(directory), Path.GetFileName(full)));
        return file.LinkTarget is null ? file.FullName : Resolve(file.ResolveLinkTarget(returnFinalTarget: true)!.FullName);
    }
}
