namespace ShiftAddVit.Checkpoints;

/// <summary>Writes files that are either complete or not there: a reader never sees half of one, and a failure keeps the old one.</summary>
public static class AtomicFile
{
    /// <summary>
    /// Calls <paramref name="write"/> with a stream to a temporary file beside <paramref name="path"/>, flushes it to the disk and
    /// renames it over <paramref name="path"/>. If anything throws, cancellation included, the temporary file is deleted and what
    /// was at <paramref name="path"/> stays as it was.
    /// </summary>
    /// <exception cref="ShiftAddVitException">
    /// The directory does not exist or may not be written to, the path is a directory, or the disk is full.
    /// </exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(write);
        var temporary = TemporaryBeside(path);
        try
        {
            WriteThrough(temporary, write);
            File.Move(temporary, path, overwrite: true);
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
        var temporary = TemporaryBeside(path);
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

    /// <summary>A name in the same directory, so that the rename stays within one file system.</summary>
    static string TemporaryBeside(string path)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Contains('\0'))
            throw new ShiftAddVitException("the path of the output is empty or has a null character; allowed is the name of a file");
        var full = Path.GetFullPath(path);
        if (Directory.Exists(full)) throw new ShiftAddVitException($"{path}: is a directory; the output must be a file");
        var directory = Path.GetDirectoryName(full)!;
        if (!Directory.Exists(directory)) throw new ShiftAddVitException($"{path}: the directory {directory} does not exist");
        return Path.Combine(directory, $".{Path.GetRandomFileName()}.tmp");
    }

    static void WriteThrough(string temporary, Action<Stream> write)
    {
        using var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None);
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
