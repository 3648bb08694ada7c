namespace ShiftAddVit.Checkpoints;

/// <summary>What a reader found: names, types, shapes and places of the tensors, in file order.</summary>
sealed class CheckpointIndex
{
    /// <summary>Far above any model; bounds the memory that a hostile list can take.</summary>
    public const int MaxEntries = 65_536;

    public OrderedDictionary<string, string> Metadata { get; } = [];

    public OrderedDictionary<string, CheckpointTensor> Tensors { get; } = [];

    /// <exception cref="InvalidDataException">The name is taken, or there are too many tensors.</exception>
    public void Add(CheckpointTensor tensor)
    {
        RequireRoom(Tensors.Count);
        if (!Tensors.TryAdd(tensor.Name, tensor)) throw new InvalidDataException($"tensor {ErrorText.Quote(tensor.Name)} is listed twice");
    }

    /// <exception cref="InvalidDataException">The key is taken, or there are too many.</exception>
    public void AddMetadata(string key, string value)
    {
        RequireRoom(Metadata.Count);
        if (!Metadata.TryAdd(key, value)) throw new InvalidDataException($"metadata key {ErrorText.Quote(key)} is listed twice");
    }

    static void RequireRoom(int count)
    {
        if (count == MaxEntries) throw new InvalidDataException($"lists more than {MaxEntries:N0} entries");
    }
}
