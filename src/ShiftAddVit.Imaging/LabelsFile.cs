using System.Collections.Immutable;
using System.Globalization;

namespace ShiftAddVit.Imaging;

/// <summary>
/// labels.csv: the header <c>file,class_index</c>, then one image a row, its path relative to the directory; lines end in LF or CRLF,
/// fields are simple (neither quotes nor commas), empty lines are skipped.
/// </summary>
static class LabelsFile
{
    const string Name = "labels.csv";
    const string Header = "file,class_index";
    const long MaxBytes = 256L << 20;

    public static string PathIn(string directory) => Path.Combine(directory, Name);

    /// <summary>Reads all rows; classes are 0 to <paramref name="classCount"/> - 1. Every named file exists inside the directory.</summary>
    public static ImmutableArray<LabeledImage> Read(string directory, int classCount)
    {
        var path = PathIn(directory);
        var lines = ReadLines(path);
        if (lines.Length == 0 || lines[0] != Header)
            throw Messages.Error(path, $"starts with \"{Start(lines)}\"", $"the header \"{Header}\" is needed");
        var items = ImmutableArray.CreateBuilder<LabeledImage>(lines.Length - 1);
        for (var i = 1; i < lines.Length; i++)
            if (lines[i].Length > 0) items.Add(ParseRow(lines[i], directory, classCount, $"{path}: row {i + 1}"));
        return items.Count == 0 ? throw Messages.Error(path, "has no rows", "one row an image is needed") : items.DrainToImmutable();
    }

    static string[] ReadLines(string path)
    {
        var bytes = new FileInfo(path).Length;
        if (bytes > MaxBytes) throw Messages.Error(path, $"{bytes} bytes are too many", $"up to {MaxBytes} are read");
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Messages.Error(path, "cannot be read: " + e.Message, "a readable file is needed", e);
        }
    }

    static string Start(string[] lines) => lines.Length == 0 ? "" : lines[0][..Math.Min(lines[0].Length, 40)];

    static LabeledImage ParseRow(string row, string directory, int classCount, string where)
    {
        var fields = row.Split(',');
        if (fields.Length != 2 || row.Contains('"'))
            throw Messages.Error(where, $"has {fields.Length} fields", "two fields without quotes are needed: file,class_index");
        var isNumber = int.TryParse(fields[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var label);
        if (!isNumber || label < 0 || label >= classCount)
            throw Messages.Error(where, $"class_index \"{fields[1]}\" cannot be used", $"0 to {classCount - 1} are allowed");
        return new(Resolve(fields[0], directory, where), label);
    }

    // A data set from elsewhere must not make us read files beside it.
    static string Resolve(string file, string directory, string where)
    {
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)) + Path.DirectorySeparatorChar;
        if (file.Contains('\0') || !Path.GetFullPath(Path.Combine(root, file)).StartsWith(root, StringComparison.Ordinal))
            throw Messages.Error(where, $"\"{file}\" lies outside the directory", "paths inside the directory are needed");
        var path = Path.Combine(directory, file);
        return File.Exists(path) ? path : throw Messages.Error(where, $"\"{file}\": no such file", "every row must name an image");
    }
}
