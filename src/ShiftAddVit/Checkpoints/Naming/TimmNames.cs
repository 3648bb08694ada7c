namespace ShiftAddVit.Checkpoints.Naming;

/// <summary>The names of timm's <c>vision_transformer.py</c>: the canonical ones.</summary>
public static class TimmNames
{
    internal const string Source = "timm";

    /// <summary>Whether the names look like timm's.</summary>
    public static bool Recognizes(IReadOnlyCollection<string> names) => names.Any(name =>
        name.StartsWith("patch_embed.", StringComparison.Ordinal) || name.StartsWith("blocks.0.", StringComparison.Ordinal));

    /// <summary>Maps each name to itself.</summary>
    public static NameMap Map(IEnumerable<string> names) => NameMap.Identity(Source, names);
}
