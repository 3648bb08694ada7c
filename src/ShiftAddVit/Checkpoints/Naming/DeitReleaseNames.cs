namespace ShiftAddVit.Checkpoints.Naming;

/// <summary>The names of the distilled models of https://github.com/facebookresearch/deit: timm's, with a second token and head.</summary>
public static class DeitReleaseNames
{
    internal const string Source = "DeiT release";

    /// <summary>Whether a distillation token or head stands beside timm's names.</summary>
    public static bool Recognizes(IReadOnlyCollection<string> names) =>
        TimmNames.Recognizes(names)
        && names.Any(name => name == "dist_token" || name.StartsWith("head_dist.", StringComparison.Ordinal));

    /// <summary>Maps each name to itself.</summary>
    public static NameMap Map(IEnumerable<string> names) => NameMap.Identity(Source, names);
}
