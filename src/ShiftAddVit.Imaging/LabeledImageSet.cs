using System.Collections.Immutable;

namespace ShiftAddVit.Imaging;

/// <summary>An image and what it shows.</summary>
/// <param name="Path">Where the image is.</param>
/// <param name="ClassIndex">Its class, from 0.</param>
public readonly record struct LabeledImage(string Path, int ClassIndex);

/// <summary>
/// Images with their classes: a directory with labels.csv (header <c>file,class_index</c>, rows in their order), or else one folder
/// a class. That the images decode is not checked. Immutable.
/// </summary>
public sealed class LabeledImageSet
{
    LabeledImageSet(string directory, ImmutableArray<LabeledImage> items) => (Directory, Items) = (directory, items);

    /// <summary>The directory that was opened.</summary>
    public string Directory { get; }

    /// <summary>The images in listed order; never empty.</summary>
    public ImmutableArray<LabeledImage> Items { get; }

    /// <summary>Number of images.</summary>
    public int Count => Items.Length;

    /// <summary>Opens a data set for a model of <paramref name="classCount"/> classes.</summary>
    /// <param name="directory">Holds labels.csv, or one folder a class.</param>
    /// <param name="classCount">Classes are 0 to classCount - 1.</param>
    /// <param name="classNames">
    /// The model's class names, classCount of them; null or empty where it has none. They may begin with the name of the class's folder
    /// and a space, as in <c>n01440764 tench</c>.
    /// </param>
    /// <remarks>
    /// The class of a folder is the first of these that works for all folders: its name is a class index in digits; it is a class name, or
    /// the first word of just one; its place in ordinal order, if there is one folder for each class.
    /// </remarks>
    /// <exception cref="ShiftAddVitException">
    /// No such directory or no image; a header, row or label that cannot be used; a named file that is absent or outside; folders whose
    /// classes cannot be told.
    /// </exception>
    public static LabeledImageSet Open(string directory, int classCount, IReadOnlyList<string>? classNames = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(classCount);
        if (classNames is { Count: > 0 }) ArgumentOutOfRangeException.ThrowIfNotEqual(classNames.Count, classCount, nameof(classNames));
        ImageFolder.RequireDirectory(directory);
        return new(directory, File.Exists(LabelsFile.PathIn(directory))
            ? LabelsFile.Read(directory, classCount)
            : ReadFolders(directory, classCount, classNames ?? []));
    }

    /// <summary>The first <paramref name="count"/> images, or all where there are fewer.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is not positive.</exception>
    public LabeledImageSet Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        return new(Directory, Items[..Math.Min(count, Count)]);
    }

    /// <inheritdoc cref="ImageFolder.TakeEvenly"/>
    public LabeledImageSet TakeEvenly(int count) => new(Directory, ImageFolder.TakeEvenly(Items, count));

    static ImmutableArray<LabeledImage> ReadFolders(string directory, int classCount, IReadOnlyList<string> classNames)
    {
        string[] folders = [.. ImageFolder.ClassFolders(directory)];
        if (folders.Length == 0) throw Messages.Error(directory, "has no labels", "labels.csv or one folder a class is needed");
        var classes = FolderClasses.Of([.. folders.Select(folder => Path.GetFileName(folder))], classCount, classNames)
            ?? throw FolderClasses.Unknown(directory, folders.Length, classCount);
        var items = ImmutableArray.CreateBuilder<LabeledImage>();
        foreach (var (folder, classIndex) in folders.Zip(classes))
            items.AddRange(ImageFolder.ImagesIn(folder).Select(path => new LabeledImage(path, classIndex)));
        return items.Count == 0 ? throw ImageFolder.Empty(directory) : items.DrainToImmutable();
    }
}
