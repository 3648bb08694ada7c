using System.Collections.Immutable;

namespace ShiftAddVit.Checkpoints.Naming;

/// <summary>
/// How the names in a file translate to the canonical ones, which are timm's: <c>patch_embed.proj.weight</c>, <c>cls_token</c>,
/// <c>dist_token</c>, <c>pos_embed</c>, <c>blocks.0.attn.qkv.weight</c>, <c>norm.weight</c>, <c>head.weight</c>, ... A name that the
/// source does not explain stands for itself.
/// </summary>
public sealed class NameMap
{
    readonly OrderedDictionary<string, ImmutableArray<string>> _parts = [];
    readonly List<string> _ignored = [];

    /// <summary>Creates an empty map.</summary>
    internal NameMap(string source) => Source = source;

    /// <summary>Who names tensors so, for messages: <c>timm</c>, <c>Hugging Face</c>, <c>DeiT release</c>.</summary>
    public string Source { get; }

    /// <summary>For each canonical name the names in the file whose tensors are joined along axis 0: one, nearly always.</summary>
    public IReadOnlyDictionary<string, ImmutableArray<string>> Parts => _parts;

    /// <summary>Names in the file that the network does not use, such as the pooler of a backbone.</summary>
    public IReadOnlyList<string> Ignored => _ignored;

    /// <summary>The release of DeiT stands before timm, whose names it shares.</summary>
    static ImmutableArray<NameSource> Sources { get; } =
    [
        new(DeitReleaseNames.Source, DeitReleaseNames.Recognizes, DeitReleaseNames.Map),
        new(TimmNames.Source, TimmNames.Recognizes, TimmNames.Map),
        new(HuggingFaceNames.Source, HuggingFaceNames.Recognizes, HuggingFaceNames.Map),
    ];

    sealed record NameSource(string Name, Func<IReadOnlyCollection<string>, bool> Recognizes, Func<IEnumerable<string>, NameMap> Map);

    /// <summary>Picks the source by the names in a checkpoint.</summary>
    /// <exception cref="ShiftAddVitException">No known source names tensors like this.</exception>
    public static NameMap For(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string[] names = [.. checkpoint.Tensors.Keys];
        foreach (var source in Sources)
            if (source.Recognizes(names)) return source.Map(names);
        throw new ShiftAddVitException($"{checkpoint.Path}: is not a known vision transformer: it holds {ErrorText.Names(names)};"
            + $" known are the names of {string.Join(", ", Sources.Select(source => source.Name))}");
    }

    /// <summary>Maps each name to itself.</summary>
    internal static NameMap Identity(string source, IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        var map = new NameMap(source);
        foreach (var name in names) map.Add(name, name, [name]);
        return map;
    }

    /// <summary>Maps a name, one of <paramref name="parts"/>; if <paramref name="canonical"/> is taken it stands for itself.</summary>
    internal void Add(string name, string canonical, ImmutableArray<string> parts)
    {
        if (!_parts.TryAdd(canonical, parts) && !_parts[canonical].Contains(name)) _parts.TryAdd(name, [name]);
    }

    /// <summary>Declares a name harmless.</summary>
    internal void Ignore(string name) => _ignored.Add(name);
}
