using ShiftAddVit.Tensors;

namespace ShiftAddVit.Checkpoints.Torch;

/// <summary>
/// Reads the zip files of <c>torch.save</c>: <c>data.pkl</c> describes the objects, <c>data/KEY</c> holds the elements of each
/// storage. The state dict is what lies under <c>model</c>, else under <c>state_dict</c>, else at the top; other entries are ignored.
/// </summary>
static class TorchReader
{
    const string Pickle = "/data.pkl", Prefix = "module.";
    const int MaxPickleBytes = 64 << 20;

    /// <summary>How often the bytes of a file may be read as tensors: tied weights are, a few times; memory grows no further.</summary>
    const int MaxSharing = 4;

    /// <summary>Where the archives of the time before zip, tar files, say that they are.</summary>
    const int TarMagicOffset = 257;

    public static bool IsZip(MappedFile file) => StartsWith(file, 0, "PK\x03\x04"u8) || StartsWith(file, 0, "PK\x05\x06"u8);

    /// <summary>A bare pickle or a tar file. A safetensors file, whatever its first bytes, has its JSON object at byte 8.</summary>
    public static bool IsLegacy(MappedFile file) => !StartsWith(file, SafetensorsReader.PrefixBytes, "{"u8)
        && (StartsWith(file, TarMagicOffset, "ustar"u8) || (file.Length >= 2 && file.Bytes(0, 2) is [0x80, >= 2 and <= 5]));

    public static CheckpointIndex Read(MappedFile file)
    {
        var entries = ZipDirectory.Read(file);
        var root = Root(entries);
        RequireLittleEndian(file, entries, root);
        var pickle = entries[root + Pickle];
        if (pickle.Length > MaxPickleBytes)
            throw new InvalidDataException($"its data.pkl has {pickle.Length:N0} bytes; allowed are {MaxPickleBytes:N0}");

        var index = new CheckpointIndex();
        var storages = new HashSet<TorchStorage>();
        foreach (var (name, tensor) in StateDict(Unpickler.Load(file.Bytes(pickle.Offset, (int)pickle.Length))))
        {
            var bare = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;
            index.Add(Place(bare, tensor, entries, root));
            storages.Add(tensor.Storage);
        }
        RequireLittleSharing(index, storages, file.Length);
        return index;
    }

    /// <summary>A small file does not become many large tensors. Entries of a zip file can overlap: they hold no more than it.</summary>
    static void RequireLittleSharing(CheckpointIndex index, HashSet<TorchStorage> storages, long fileLength)
    {
        var read = index.Tensors.Values.Sum(tensor => (long)tensor.Shape.ElementCount * tensor.ElementType.Bytes());
        var held = Math.Min(fileLength, storages.Sum(storage => storage.Elements * storage.Type.Bytes()));
        if (read > MaxSharing * held)
            throw new InvalidDataException(
                $"its tensors take {read} bytes of {held} bytes that are stored; allowed is {MaxSharing} times as much, for tied weights");
    }

    static bool StartsWith(MappedFile file, long offset, ReadOnlySpan<byte> magic) =>
        file.Length >= offset + magic.Length && file.Bytes(offset, magic.Length).SequenceEqual(magic);

    /// <summary>The directory that PyTorch puts around everything; its name varies.</summary>
    static string Root(Dictionary<string, ZipEntry> entries)
    {
        var pickles = entries.Keys.Where(name => name.EndsWith(Pickle, StringComparison.Ordinal)).ToList();
        return pickles.Count == 1
            ? pickles[0][..^Pickle.Length]
            : throw new InvalidDataException($"is a zip file with {pickles.Count} entries named data.pkl; a PyTorch file has one");
    }

    static void RequireLittleEndian(MappedFile file, Dictionary<string, ZipEntry> entries, string root)
    {
        if (!entries.TryGetValue(root + "/byteorder", out var entry)) return;
        if (entry.Length != "little".Length || !StartsWith(file, entry.Offset, "little"u8))
            throw new InvalidDataException("was not saved on a little-endian machine; big-endian files are not read");
    }

    static IEnumerable<(string Name, TorchTensor Tensor)> StateDict(object saved)
    {
        if (saved is not PickleDict top) throw new InvalidDataException("holds no dictionary of tensors (state dict)");
        PickleDict?[] candidates = [top.Inner("model"), top.Inner("state_dict"), top];
        return candidates.FirstOrDefault(dictionary => dictionary?.Tensors.Any() == true)?.Tensors ?? throw new InvalidDataException(
            "holds no tensors under 'model', under 'state_dict' or at the top; it holds "
            + ErrorText.Names([.. top.Items.Select(item => item.Key as string ?? "?")]));
    }

    static CheckpointTensor Place(string name, TorchTensor tensor, Dictionary<string, ZipEntry> entries, string root)
    {
        var storage = tensor.Storage;
        var bytes = storage.Type.Bytes();
        if (!entries.TryGetValue($"{root}/data/{storage.Key}", out var entry))
            throw new InvalidDataException(
                $"tensor {ErrorText.Quote(name)} refers to storage {ErrorText.Quote(storage.Key)}, which is missing");
        if (entry.Length % bytes != 0 || entry.Length / bytes != storage.Elements)
            throw new InvalidDataException(
                $"the storage of tensor {ErrorText.Quote(name)} has {entry.Length} bytes"
                + $" for {storage.Elements} elements of {storage.Type}");
        var shape = CheckpointTensor.ClaimedShape(name, tensor.Extents);
        RequireInside(name, tensor, shape);
        var first = shape.ElementCount == 0 ? 0 : tensor.Offset * bytes;
        return new(name, storage.Type, shape, entry.Offset + first, tensor.Strides);
    }

    /// <summary>Every element lies in the storage, and no small storage is spread over a large tensor.</summary>
    static void RequireInside(string name, TorchTensor tensor, Shape shape)
    {
        var strides = tensor.Strides;
        if (strides.Length != shape.Rank || tensor.Offset < 0 || strides.Any(stride => stride < 0))
            throw new InvalidDataException(
                $"tensor {ErrorText.Quote(name)} has a negative offset, or strides that do not fit its shape {shape}");
        if (shape.ElementCount == 0) return;
        Int128 last = tensor.Offset;
        for (var axis = 0; axis < shape.Rank; axis++)
        {
            if (strides[axis] == 0 && shape[axis] > 1)
                throw new InvalidDataException($"tensor {ErrorText.Quote(name)} is expanded (stride 0); save a contiguous copy of it");
            last += (Int128)strides[axis] * (shape[axis] - 1);
        }
        if (last >= tensor.Storage.Elements || shape.ElementCount > tensor.Storage.Elements)
            throw new InvalidDataException(
                $"tensor {ErrorText.Quote(name)} of shape {shape} reaches beyond its storage of {tensor.Storage.Elements} elements");
    }
}
