using System.Collections.Immutable;

namespace ShiftAddVit.Cli.Options;

/// <summary>The text file of <c>--class-names</c>: one name a line, in the order of the classes.</summary>
static class ClassNamesFile
{
    const int MaxBytes = 16 << 20;

    /// <summary>Reads the names without the white space around them; blank lines at the end are no names.</summary>
    public static ImmutableArray<string> Read(string path)
    {
        var lines = ReadText(path).TrimEnd().ReplaceLineEndings("\n").Split('\n', StringSplitOptions.TrimEntries);
        // A class without a name would give all that follow the name of another.
        var blank = Array.IndexOf(lines, "");
        return blank < 0
            ? [.. lines]
            : throw new ShiftAddVitException($"--class-names {path}: line {blank + 1} is blank; one name a line is needed");
    }

    public static void RequireCount(string path, ImmutableArray<string> names, int classes)
    {
        if (names.Length != classes)
            throw new ShiftAddVitException(
                $"--class-names {path}: has {names.Length} names for the model's {classes} classes; one for each class is needed");
    }

    /// <summary>Reads no more than allowed, as a device does not end and says that it is empty.</summary>
    static string ReadText(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[MaxBytes + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > MaxBytes) throw new ShiftAddVitException($"--class-names {path}: is too large; up to {MaxBytes} bytes are read");
            using var text = new StreamReader(new MemoryStream(bytes, 0, length));
            return text.ReadToEnd();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ShiftAddVitException($"--class-names {path}: cannot be read: {error.Message}", error);
        }
    }
}
