using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;

namespace ShiftAddVit.Checkpoints;

/// <summary>
/// Reads the header of a safetensors file: eight bytes with the length of the header, a JSON object, then the data. Follows
/// https://github.com/huggingface/safetensors (Format). Nothing is allocated before the length it depends on is checked.
/// </summary>
static class SafetensorsReader
{
    public const int PrefixBytes = 8;
    public const int MaxHeaderBytes = 100_000_000;
    public const string MetadataKey = "__metadata__";

    public static CheckpointIndex Read(MappedFile file)
    {
        var header = Header(file);
        var data = PrefixBytes + header.Length;
        try
        {
            // Each value is read as the one kind it may be, so no text makes this nest deeper than three levels.
            var json = new Utf8JsonReader(header);
            return ReadRoot(ref json, data, file.Length);
        }
        // InvalidOperationException: an escape such as \ud800 that is no character.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException(
                "is no PyTorch zip file, and its safetensors header is not a JSON object of tensors: " + ErrorText.FirstLine(e.Message), e);
        }
    }

    static ReadOnlySpan<byte> Header(MappedFile file)
    {
        if (file.Length < PrefixBytes)
            throw new InvalidDataException($"has {file.Length} bytes; a safetensors file has at least {PrefixBytes}");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(file.Bytes(0, PrefixBytes));
        if (length > MaxHeaderBytes || length > (ulong)(file.Length - PrefixBytes))
            throw new InvalidDataException($"is no PyTorch zip file, and as safetensors it claims a header of {length} bytes;"
                + $" allowed are at most {MaxHeaderBytes:N0} and what the file of {file.Length} bytes holds");
        var header = file.Bytes(PrefixBytes, (int)length);
        if (header.IsEmpty || header[0] != '{' || !Utf8.IsValid(header))
            throw new InvalidDataException("is no PyTorch zip file, and its safetensors header is not a JSON object in UTF-8");
        return header;
    }

    static CheckpointIndex ReadRoot(ref Utf8JsonReader json, long data, long fileLength)
    {
        var index = new CheckpointIndex();
        var sawMetadata = false;
        Expect(ref json, JsonTokenType.StartObject);
        while (TryKey(ref json, out var key))
        {
            if (key != MetadataKey)
            {
                index.Add(ReadTensor(ref json, key, data, fileLength));
                continue;
            }
            if (sawMetadata) throw new JsonException($"{MetadataKey} is listed twice");
            sawMetadata = true;
            ReadMetadata(ref json, index);
        }
        // Reads on, so that text after the object is an error.
        json.Read();
        RequireTiled(index.Tensors.Values, data, fileLength);
        return index;
    }

    static void ReadMetadata(ref Utf8JsonReader json, CheckpointIndex index)
    {
        Expect(ref json, JsonTokenType.StartObject);
        while (TryKey(ref json, out var key))
        {
            Expect(ref json, JsonTokenType.String);
            index.AddMetadata(key, json.GetString()!);
        }
    }

    static CheckpointTensor ReadTensor(ref Utf8JsonReader json, string name, long data, long fileLength)
    {
        string? dtype = null;
        long[]? shape = null;
        long[]? range = null;
        Expect(ref json, JsonTokenType.StartObject);
        while (TryKey(ref json, out var key))
            switch (key)
            {
                case "dtype" when dtype is null:
                    Expect(ref json, JsonTokenType.String);
                    dtype = json.GetString();
                    break;
                case "shape" when shape is null: shape = ReadIntegers(ref json, CheckpointTensor.MaxRank); break;
                case "data_offsets" when range is null: range = ReadIntegers(ref json, 2); break;
                default: throw new JsonException($"tensor {ErrorText.Quote(name)} has an unknown or repeated field {ErrorText.Quote(key)}");
            }
        if (dtype is null || shape is null || range is not { Length: 2 })
            throw new JsonException($"tensor {ErrorText.Quote(name)} lacks one of dtype, shape and data_offsets");
        return Place(name, dtype, shape, range, data, fileLength);
    }

    static CheckpointTensor Place(string name, string dtype, long[] extents, long[] range, long data, long fileLength)
    {
        var type = ElementTypes.FromSafetensors(dtype) ?? throw new InvalidDataException(
            $"tensor {ErrorText.Quote(name)} has dtype {ErrorText.Quote(dtype)};"
            + $" known are {string.Join(", ", Enum.GetNames<ElementType>())}");
        var shape = CheckpointTensor.ClaimedShape(name, extents);
        var (begin, end) = (range[0], range[1]);
        if (begin < 0 || end < begin || end > fileLength - data)
            throw new InvalidDataException(
                $"tensor {ErrorText.Quote(name)} claims bytes {begin}..{end} of data that has {fileLength - data} bytes");
        if (end - begin != (long)shape.ElementCount * type.Bytes())
            throw new InvalidDataException($"tensor {ErrorText.Quote(name)} has {end - begin} bytes for {type}[{shape}]");
        return new(name, type, shape, data + begin);
    }

    /// <summary>The tensors must cover the data without overlap, hole or rest: no byte is hidden and none is read twice.</summary>
    static void RequireTiled(IEnumerable<CheckpointTensor> tensors, long data, long fileLength)
    {
        var covered = data;
        // Sorted by size as well, a tensor without elements at the start of another comes before it.
        foreach (var tensor in tensors.OrderBy(t => t.Offset).ThenBy(Size))
        {
            if (tensor.Offset != covered)
                throw new InvalidDataException($"tensor {ErrorText.Quote(tensor.Name)} starts at byte {tensor.Offset - data} of the data, "
                    + (tensor.Offset < covered ? "inside another tensor" : $"after a hole that starts at byte {covered - data}"));
            covered += Size(tensor);
        }
        if (covered != fileLength) throw new InvalidDataException($"has {fileLength - covered} bytes after its last tensor");
    }

    static long Size(CheckpointTensor tensor) => (long)tensor.Shape.ElementCount * tensor.ElementType.Bytes();

    static long[] ReadIntegers(ref Utf8JsonReader json, int most)
    {
        var integers = new List<long>();
        Expect(ref json, JsonTokenType.StartArray);
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (json.TokenType != JsonTokenType.Number || !json.TryGetInt64(out var integer) || integers.Count == most)
                throw new JsonException($"an array is not one of at most {most} integers");
            integers.Add(integer);
        }
        return [.. integers];
    }

    static bool TryKey(ref Utf8JsonReader json, out string key)
    {
        json.Read();
        key = json.TokenType == JsonTokenType.PropertyName ? json.GetString()! : "";
        return json.TokenType == JsonTokenType.PropertyName;
    }

    static void Expect(ref Utf8JsonReader json, JsonTokenType type)
    {
        json.Read();
        if (json.TokenType != type) throw new JsonException($"found {json.TokenType} instead of {type}");
    }
}
