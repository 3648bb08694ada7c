using System.Collections.Immutable;

namespace ShiftAddVit.Imaging;

/// <summary>Images on disk, in an order that depends on their names alone.</summary>
public static class ImageFolder
{
    static readonly string[] Extensions = [".jpg", ".jpeg", ".png", ".webp"];

    /// <summary>
    /// The images of a directory, labelled or not: the rows of its labels.csv in their order, else its class folders' images,
    /// else its own images; the latter two sorted ordinally. Told by the extensions .jpg, .jpeg, .png and .webp in any case.
    /// </summary>
    /// <exception cref="ShiftAddVitException">No such directory, no image in it, or labels.csv is broken.</exception>
    public static ImmutableArray<string> ListImages(string directory)
    {
        RequireDirectory(directory);
        if (File.Exists(LabelsFile.PathIn(directory))) return [.. LabelsFile.Read(directory, int.MaxValue).Select(item => item.Path)];
        ImmutableArray<string> images = [.. ClassFolders(directory).SelectMany(ImagesIn)];
        if (images.IsEmpty) images = [.. ImagesIn(directory)];
        return images.IsEmpty ? throw Empty(directory) : images;
    }

    /// <summary>
    /// <paramref name="count"/> items evenly spaced over a list of T: item i is that at floor(i * T / count). All of them where count
    /// is T or more.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is not positive.</exception>
    public static ImmutableArray<T> TakeEvenly<T>(IReadOnlyList<T> items, int count)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var taken = Math.Min(count, items.Count);
        return [.. Enumerable.Range(0, taken).Select(i => items[(int)((long)i * items.Count / taken)])];
    }

    /// <summary>Folders that stand for classes, sorted ordinally; those whose name starts with a dot do not.</summary>
    internal static IEnumerable<string> ClassFolders(string directory) =>
        Directory.EnumerateDirectories(directory).Where(folder => Path.GetFileName(folder)[0] != '.').Order(StringComparer.Ordinal);

    /// <summary>Images right in a folder, sorted ordinally.</summary>
    internal static IEnumerable<string> ImagesIn(string folder) => Directory.EnumerateFiles(folder)
        .Where(file => Extensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase) && Path.GetFileName(file)[0] != '.')
        .Order(StringComparer.Ordinal);

    internal static void RequireDirectory(string directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        if (Directory.Exists(directory)) return;
        throw Messages.Error(directory, File.Exists(directory) ? "is a file" : "no such directory", "a directory of images is needed");
    }

    internal static ShiftAddVitException Empty(string directory) =>
        Messages.Error(directory, "holds no image", "labels.csv, one folder a class or images (.jpg, .jpeg, .png, .webp) are needed");
}
