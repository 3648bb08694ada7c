using System.Globalization;

namespace ShiftAddVit.Imaging;

/// <summary>Which classes folders stand for. A set of few of the model's classes must not silently become classes 0, 1, ...</summary>
static class FolderClasses
{
    /// <summary>The class of each folder by index, else by name, else by order; null where none tells all of them.</summary>
    public static int[]? Of(string[] folders, int classCount, IReadOnlyList<string> classNames)
    {
        var byName = ByName(classNames);
        return All(folders, folder => ByIndex(folder, classCount))
            ?? All(folders, folder => byName.GetValueOrDefault(folder))
            ?? (folders.Length == classCount ? [.. Enumerable.Range(0, classCount)] : null);
    }

    public static ShiftAddVitException Unknown(string directory, int folders, int classCount) => Messages.Error(
        directory, $"its class folders ({folders}) do not say which of the model's {classCount} classes they hold",
        $"folders named 0 to {classCount - 1} or like classes (--class-names with names that begin with the folder names helps), "
            + "or one for each class, are needed");

    static int[]? All(string[] folders, Func<string, int?> classOf)
    {
        var classes = Array.ConvertAll(folders, folder => classOf(folder));
        return Array.TrueForAll(classes, index => index is not null) ? Array.ConvertAll(classes, index => index!.Value) : null;
    }

    static int? ByIndex(string folder, int classCount) =>
        int.TryParse(folder, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < classCount ? index : null;

    /// <summary>Names and, where no name is the same, first words; null for what several classes share.</summary>
    static Dictionary<string, int?> ByName(IReadOnlyList<string> classNames)
    {
        var names = Index(classNames);
        foreach (var (word, index) in Index([.. classNames.Select(name => name.Split(' ')[0])])) names.TryAdd(word, index);
        return names;
    }

    static Dictionary<string, int?> Index(IReadOnlyList<string> keys)
    {
        var classes = new Dictionary<string, int?>();
        for (var i = 0; i < keys.Count; i++)
            if (!classes.TryAdd(keys[i], i)) classes[keys[i]] = null;
        return classes;
    }
}
