using System.Collections.Immutable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Checkpoints.Naming;

/// <summary>The tensors of a checkpoint under their canonical names: shapes at once, values when the architecture is known.</summary>
public sealed class NamedWeights
{
    readonly Checkpoint _checkpoint;
    readonly OrderedDictionary<string, Shape> _shapes = [];

    /// <summary>Canonical names whose parts are not all there or cannot be joined, with the reason.</summary>
    readonly Dictionary<string, string> _broken = [];

    /// <summary>Names the tensors by the source that their names tell; the checkpoint stays the caller's to dispose.</summary>
    /// <exception cref="ShiftAddVitException">No known source names tensors like this.</exception>
    public NamedWeights(Checkpoint checkpoint) : this(checkpoint, NameMap.For(checkpoint)) { }

    /// <summary>Names the tensors of a checkpoint by a map of its names.</summary>
    public NamedWeights(Checkpoint checkpoint, NameMap map)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(map);
        (_checkpoint, Map) = (checkpoint, map);
        foreach (var (canonical, parts) in map.Parts)
            if (Join(parts, out var shape) is { } problem) _broken.Add(canonical, problem);
            else _shapes.Add(canonical, shape);
    }

    /// <summary>How the names were translated.</summary>
    public NameMap Map { get; }

    /// <summary>The shape of each tensor by canonical name, without those that cannot be joined; no data is read for it.</summary>
    public IReadOnlyDictionary<string, Shape> Shapes => _shapes;

    /// <summary>Reads all tensors as float32, which must be exactly the expected ones.</summary>
    /// <exception cref="ShiftAddVitException">
    /// Tensors are missing, unexpected or of another shape (all named, up to ten of each), or a value is not finite.
    /// </exception>
    public IReadOnlyDictionary<string, Tensor> Read(IReadOnlyCollection<(string Name, Shape Shape)> expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        Require(expected);
        return expected.ToDictionary(weight => weight.Name, weight => Read(weight.Name, weight.Shape));
    }

    Tensor Read(string name, Shape shape)
    {
        var values = new float[shape.ElementCount];
        var rest = values.AsSpan();
        foreach (var part in Map.Parts[name].Select(source => _checkpoint.Tensors[source]))
        {
            _checkpoint.ReadFloat32(part, rest[..part.Shape.ElementCount]);
            rest = rest[part.Shape.ElementCount..];
        }
        return new(shape, values);
    }

    void Require(IReadOnlyCollection<(string Name, Shape Shape)> expected)
    {
        var wanted = expected.Select(weight => weight.Name).ToHashSet();
        string[] missing = [.. expected.Where(weight => !_shapes.ContainsKey(weight.Name)).Select(weight => Missing(weight.Name))];
        string[] unexpected = [.. Map.Parts.Keys.Where(name => !wanted.Contains(name)).Select(ErrorText.Quote)];
        string[] misshaped = [.. expected
            .Where(weight => _shapes.TryGetValue(weight.Name, out var shape) && shape != weight.Shape)
            .Select(weight => $"{ErrorText.Quote(weight.Name)} is {_shapes[weight.Name]}, not {weight.Shape}")];
        string[] problems =
        [
            .. Problem("missing", missing), .. Problem("unexpected", unexpected), .. Problem("of another shape", misshaped),
        ];
        if (problems.Length == 0) return;
        throw new ShiftAddVitException(
            $"{_checkpoint.Path}: its tensors ({Map.Source} names) do not fit: {string.Join("; ", problems)}");
    }

    string Missing(string name) => ErrorText.Quote(name) + (_broken.TryGetValue(name, out var reason) ? $" ({reason})" : "");

    static IEnumerable<string> Problem(string kind, string[] items) =>
        items.Length == 0 ? [] : [$"{items.Length} {kind}: {ErrorText.List(items, item => item)}"];

    /// <summary>The shape of parts joined along axis 0; the problem, if there is one.</summary>
    string? Join(ImmutableArray<string> parts, out Shape joined)
    {
        joined = default;
        var absent = parts.Where(part => !_checkpoint.Tensors.ContainsKey(part)).ToArray();
        if (absent.Length > 0) return $"the file lacks {ErrorText.Names(absent)}";
        Shape[] shapes = [.. parts.Select(part => _checkpoint.Tensors[part].Shape)];
        joined = shapes[0];
        if (shapes.Length == 1) return null;
        if (joined.Rank == 0 || shapes.Any(shape => !RowsAlike(shape, shapes[0])))
            return $"the file has it in parts {string.Join(", ", shapes)}, which cannot be joined";
        try
        {
            joined = CheckpointTensor.ClaimedShape(parts[0], [shapes.Sum(shape => (long)shape[0]), .. joined.Extents.Skip(1)]);
            return null;
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }

    static bool RowsAlike(Shape left, Shape right) =>
        left.Rank == right.Rank && left.Extents.AsSpan()[1..].SequenceEqual(right.Extents.AsSpan()[1..]);
}
