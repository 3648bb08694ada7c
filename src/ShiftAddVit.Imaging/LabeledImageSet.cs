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
    /// <param name="folderNames">
    /// The folder of each class, such as its WordNet id: a data set of few classes then gets the model's indices. Null numbers the folders
    /// 0, 1, ... in ordinal order of their names. Labels in labels.csv are not touched.
    /// </param>
    /// <exception cref="ShiftAddVitException">
    /// No such directory or no image; a header, row or label that cannot be used; a named file that is absent or outside; more folders
    /// than classes, or a folder of no class.
    /// </exception>
    public static LabeledImageSet Open(string directory, int classCount, IReadOnlyList<string>? folderNames = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(classCount);
        if (folderNames is not null) ArgumentOutOfRangeException.ThrowIfNotEqual(folderNames.Count, classCount);
        ImageFolder.RequireDirectory(directory);
        return new(directory, File.Exists(LabelsFile.PathIn(directory))
            ? LabelsFile.Read(directory, classCount)
            : ReadFolders(directory, classCount, folderNames));
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

    static ImmutableArray<LabeledImage> ReadFolders(string directory, int classCount, IReadOnlyList<string>? folderNames)
    {
        string[] folders = [.. ImageFolder.ClassFolders(directory)];
        if (folders.Length == 0) throw Messages.Error(directory, "has no labels", "labels.csv or one folder a class is needed");
        if (folders.Length > classCount)
            throw Messages.Error(directory, $"has {folders.Length} class folders", $"up to {classCount}, the model's classes, are allowed");
        var items = ImmutableArray.CreateBuilder<LabeledImage>();
        for (var i = 0; i < folders.Length; i++)
        {
            var classIndex = folderNames is null ? i : ClassOf(folders[i], folderNames);
            items.AddRange(ImageFolder.ImagesIn(folders[i]).Select(path => new LabeledImage(path, classIndex)));
        }
        return items.Count == 0 ? throw ImageFolder.Empty(directory) : items.DrainToImmutable();
    }

    static int ClassOf(string folder, IReadOnlyList<string> folderNames)
    {
        var name = Path.GetFileName(folder);
        for (var i = 0; i < folderNames.Count; i++)
            if (folderNames[i] == name) return i;
        throw Messages.Error(folder, "stands for no class of the model", $"folders such as {folderNames[0]} are needed");
    }
}
