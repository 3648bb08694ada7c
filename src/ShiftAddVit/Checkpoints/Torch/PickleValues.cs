namespace ShiftAddVit.Checkpoints.Torch;

/// <summary>
/// A value that no tensor needs: None, booleans, floats, bytes, numpy scalars, command line arguments. Strings are strings,
/// integers longs, and lists, tuples and sets are lists of objects.
/// </summary>
sealed class Inert
{
    public static Inert Instance { get; } = new();
}

/// <summary>A dictionary as a list of pairs: hashing keys that a file chose could be made slow.</summary>
sealed class PickleDict
{
    public List<(object Key, object Value)> Items { get; } = [];

    /// <summary>The entries that are tensors, in order.</summary>
    public IEnumerable<(string Name, TorchTensor Tensor)> Tensors =>
        from item in Items
        where item.Key is string && item.Value is TorchTensor
        select ((string)item.Key, (TorchTensor)item.Value);

    /// <summary>The dictionary under a key; null if there is none.</summary>
    public PickleDict? Inner(string key) => Items.LastOrDefault(item => item.Key is string name && name == key).Value as PickleDict;
}

/// <summary>A reference to a zip entry with the elements of one or more tensors.</summary>
sealed record TorchStorage(ElementType Type, string Key, long Elements)
{
    /// <summary>From the persistent id ("storage", class, key, device, elements).</summary>
    public static TorchStorage FromId(object id) =>
        id is List<object> and ["storage", Global { Storage: { } type }, string key, _, long elements]
            ? new(type, key, elements)
            : throw new InvalidDataException("its pickle refers to something other than the storage of a tensor");
}

/// <summary>A view of a storage as the file claims it; nothing is checked yet.</summary>
sealed record TorchTensor(TorchStorage Storage, long Offset, long[] Extents, long[] Strides)
{
    /// <summary>From the arguments (storage, offset, extents, strides, ...) of <c>_rebuild_tensor_v2</c>.</summary>
    public static TorchTensor Rebuild(List<object> arguments) =>
        arguments is [TorchStorage storage, long offset, List<object> extents, List<object> strides, ..]
            ? new(storage, offset, Integers(extents), Integers(strides))
            : throw new InvalidDataException("its pickle builds a tensor from something other than storage, offset, extents and strides");

    static long[] Integers(List<object> values)
    {
        if (values.Count > CheckpointTensor.MaxRank || !values.TrueForAll(value => value is long))
            throw new InvalidDataException(
                $"its pickle describes a tensor by something other than at most {CheckpointTensor.MaxRank} integers");
        return [.. values.Cast<long>()];
    }
}
