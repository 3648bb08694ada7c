using ShiftAddVit.Checkpoints.Torch;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Checkpoints;

/// <summary>
/// The named tensors of a file of weights: safetensors, or what <c>torch.save</c> of PyTorch 1.6 and newer writes (.pt, .pth, .bin).
/// The file is mapped; opening reads the list of tensors, values are read when asked for. A file cannot run code, and opening it
/// allocates no more than a small multiple of its list of tensors, plus at most some 150 MB for what a hostile pickle builds.
/// </summary>
/// <remarks>Reads may run in parallel with each other, not with <see cref="Dispose"/>. The file must not shrink while it is open.</remarks>
public sealed class Checkpoint : IDisposable
{
    /// <summary>Elements converted between two looks at the map: keeps the ranges far below 2^31 bytes.</summary>
    const int Chunk = 1 << 20;

    /// <summary>Elements gathered at a time from a tensor that is not row-major.</summary>
    const int GatherChunk = 1024;

    readonly MappedFile _file;
    readonly CheckpointIndex _index;

    Checkpoint(string path, MappedFile file, CheckpointIndex index) => (Path, _file, _index) = (path, file, index);

    /// <summary>The path it was opened by.</summary>
    public string Path { get; }

    /// <summary>What a safetensors file says about itself in <c>__metadata__</c>; empty for PyTorch files.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _index.Metadata;

    /// <summary>The tensors by name, in the order in which the file lists them.</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> Tensors => _index.Tensors;

    /// <summary>Opens a file; its first bytes decide the format, never its name.</summary>
    /// <exception cref="ShiftAddVitException">The file cannot be read, is in another format or is malformed.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var file = MappedFile.Open(path);
        try
        {
            return new(path, file, ReadIndex(file));
        }
        catch (Exception e)
        {
            file.Dispose();
            if (e is InvalidDataException) throw new ShiftAddVitException($"{path}: {e.Message}", e);
            throw;
        }
    }

    static CheckpointIndex ReadIndex(MappedFile file)
    {
        if (TorchReader.IsZip(file)) return TorchReader.Read(file);
        if (TorchReader.IsLegacy(file))
            throw new InvalidDataException(
                "is in the legacy (non-zip) format of PyTorch; re-save it with torch.save of PyTorch 1.6 or newer, or as safetensors");
        return SafetensorsReader.Read(file);
    }

    /// <summary>Reads a tensor, converted to float32: integers and binary64 are rounded to nearest even.</summary>
    /// <exception cref="ShiftAddVitException">There is no such tensor, or a value is not a finite number of float32.</exception>
    public Tensor ReadFloat32(string name)
    {
        var tensor = Find(name);
        var values = new float[tensor.Shape.ElementCount];
        ReadFloat32(tensor, values);
        return new(tensor.Shape, values);
    }

    /// <summary>Reads a tensor into memory of exactly its number of elements.</summary>
    internal void ReadFloat32(CheckpointTensor tensor, Span<float> values)
    {
        if (tensor.Strides is null) ReadRowMajor(tensor, values);
        else ReadStrided(tensor, values);

        // NaN compares below everything, so it is out of the range too.
        var bad = values.IndexOfAnyExceptInRange(float.MinValue, float.MaxValue);
        if (bad < 0) return;
        throw new ShiftAddVitException($"{Path}: tensor {ErrorText.Quote(tensor.Name)} holds {values[bad]} at element {bad}"
            + $" (stored as {tensor.ElementType}); weights must be finite numbers in the range of float32");
    }

    void ReadRowMajor(CheckpointTensor tensor, Span<float> values)
    {
        var bytes = tensor.ElementType.Bytes();
        for (var start = 0; start < values.Length; start += Chunk)
        {
            var part = values.Slice(start, Math.Min(Chunk, values.Length - start));
            tensor.ElementType.ToFloat32(_file.Bytes(tensor.Offset + (long)start * bytes, part.Length * bytes), part);
        }
    }

    void ReadStrided(CheckpointTensor tensor, Span<float> values)
    {
        var bytes = tensor.ElementType.Bytes();
        Span<byte> buffer = stackalloc byte[GatherChunk * ElementTypes.MaxBytes];
        for (var start = 0; start < values.Length; start += GatherChunk)
        {
            var part = values.Slice(start, Math.Min(GatherChunk, values.Length - start));
            for (var i = 0; i < part.Length; i++)
                _file.Bytes(tensor.Offset + tensor.Position(start + i) * bytes, bytes).CopyTo(buffer[(i * bytes)..]);
            tensor.ElementType.ToFloat32(buffer[..(part.Length * bytes)], part);
        }
    }

    CheckpointTensor Find(string name) => _index.Tensors.TryGetValue(name, out var tensor)
        ? tensor
        : throw new ShiftAddVitException(
            $"{Path}: has no tensor {ErrorText.Quote(name)}; it holds {ErrorText.Names(_index.Tensors.Keys)}");

    /// <summary>Unmaps the file.</summary>
    public void Dispose() => _file.Dispose();
}
