namespace ShiftAddVit.Checkpoints;

/// <summary>Writes files that are either complete or not there: a reader never sees half of one, and a failure keeps the old one.</summary>
public static class AtomicFile
{
    /// <summary>
    /// Calls <paramref name="write"/> with a stream to a temporary file beside <paramref name="path"/>, flushes it to the disk and
    /// renames it over <paramref name="path"/>. If anything throws, cancellation included, the temporary file is deleted and what
    /// was at <paramref name="path"/> stays as it was. A symbolic link stays: the file that it leads to is replaced. On Unix the new
    /// file has the mode of the one it replaces.
    /// </summary>
    /// <exception cref="ShiftAddVitException">
    /// The directory does not exist or may not be written to, the path is a directory, a pipe or a device (noticed on Linux), or the
    /// disk is full.
    /// </exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(write);
        var target = Target(path);
        var temporary = TemporaryBeside(target);
        try
        {
            WriteThrough(temporary, target, write);
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e)
        {
            DeleteIfPossible(temporary);
            if (e is IOException or UnauthorizedAccessException) throw Unwritable(path, e);
            throw;
        }
    }

    /// <summary>Checks before long work that a file can be written there; leaves nothing behind.</summary>
    /// <exception cref="ShiftAddVitException">As <see cref="Write"/>.</exception>
    public static void RequireWritable(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var temporary = TemporaryBeside(Target(path));
        try
        {
            File.Create(temporary).Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(path, e);
        }
        finally
        {
            DeleteIfPossible(temporary);
        }
    }

    static ShiftAddVitException Unwritable(string path, Exception e) => e is UnauthorizedAccessException
        ? new($"{path}: no permission to write there", e)
        : new($"{path}: cannot be written: {ErrorText.FirstLine(e.Message)}", e);

    /// <summary>The full path of the file to create or replace, links followed.</summary>
    static string Target(string path)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Contains('\0'))
            throw new ShiftAddVitException("the path of the output is empty or has a null character; allowed is the name of a file");
        var full = Path.GetFullPath(path);
        if (Directory.Exists(full)) throw new ShiftAddVitException($"{path}: is a directory; the output must be a file");
        if (FileKind.IsSpecial(full))
            throw new ShiftAddVitException($"{path}: is a pipe or a device, not a regular file; the output must be a file");
        var target = Linked(path, full);
        var directory = Path.GetDirectoryName(target)!;
        if (!Directory.Exists(directory)) throw new ShiftAddVitException($"{path}: the directory {directory} does not exist");
        return target;
    }

    static string Linked(string path, string full)
    {
        try
        {
            return new FileInfo(full) is { LinkTarget: not null } link ? link.ResolveLinkTarget(returnFinalTarget: true)!.FullName : full;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unwritable(path, e);
        }
    }

    /// <summary>A name in the same directory, so that the rename stays within one file system.</summary>
    static string TemporaryBeside(string target) =>
        Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetRandomFileName()}.tmp");

    static void WriteThrough(string temporary, string target, Action<Stream> write)
    {
        using var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        // Before the first byte, so that nobody reads what the old file kept from them.
        if (!OperatingSystem.IsWindows() && File.Exists(target)) File.SetUnixFileMode(stream.SafeFileHandle, File.GetUnixFileMode(target));
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    static void DeleteIfPossible(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure that led here says more than one to tidy up after it.
        }
    }
}
