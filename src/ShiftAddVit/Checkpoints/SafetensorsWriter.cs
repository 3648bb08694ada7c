using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Checkpoints;

/// <summary>Writes safetensors files of floating-point tensors. Equal arguments give equal bytes.</summary>
public static class SafetensorsWriter
{
    /// <summary>The data starts at a multiple of this, so that a reader can map it as floats.</summary>
    const int Alignment = 8;

    /// <summary>Values converted and written at a time.</summary>
    const int Part = 1 << 16;

    /// <summary>Encodes names; throws on half a surrogate pair instead of writing another name.</summary>
    static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Writes <paramref name="tensors"/> in their order, and metadata sorted by key, through <see cref="AtomicFile"/>.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="tensors">Names and values; finite.</param>
    /// <param name="metadata">Text to keep beside them; null for none.</param>
    /// <param name="elementType">F64, F32, F16 or BF16, for every tensor; rounded to nearest even where it is narrower than float32.</param>
    /// <exception cref="ArgumentException">
    /// The type is an integer type; a name occurs twice, is <c>__metadata__</c> or not Unicode; there are too many.
    /// </exception>
    /// <exception cref="ShiftAddVitException">
    /// A value is not finite or lies beyond the range of the type, or the file cannot be written.
    /// </exception>
    public static void Write(
        string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null,
        ElementType elementType = ElementType.F32)
    {
        var largest = Largest(elementType);
        ArgumentNullException.ThrowIfNull(tensors);
        var ordered = new OrderedDictionary<string, Tensor>(tensors);
        if (ordered.ContainsKey(SafetensorsReader.MetadataKey))
            throw new ArgumentException($"{SafetensorsReader.MetadataKey} is no name for a tensor", nameof(tensors));
        foreach (var (name, tensor) in ordered)
            if (tensor.Values.ContainsAnyExceptInRange(-largest, largest))
                throw new ShiftAddVitException(
                    $"{path}: not written: tensor {ErrorText.Quote(name)} holds a value that is not finite in {elementType}");

        var header = Header(ordered, metadata ?? new Dictionary<string, string>(), elementType);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var tensor in ordered.Values) WriteValues(stream, tensor.Values, elementType);
        });
    }

    /// <summary>The largest float32 that does not round to infinity: halfway to the next power of two is the first that does.</summary>
    static float Largest(ElementType elementType) => elementType switch
    {
        ElementType.F64 or ElementType.F32 => float.MaxValue,
        ElementType.F16 => MathF.BitDecrement(65_520),
        ElementType.BF16 => BitConverter.UInt32BitsToSingle(0x7F7F_7FFF),
        _ => throw new ArgumentException($"{elementType} is not written; allowed are F64, F32, F16 and BF16", nameof(elementType)),
    };

    static byte[] Header(
        OrderedDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> metadata, ElementType type)
    {
        if (tensors.Count > CheckpointIndex.MaxEntries || metadata.Count > CheckpointIndex.MaxEntries)
            throw new ArgumentException($"more than {CheckpointIndex.MaxEntries:N0} tensors or metadata", nameof(tensors));
        var text = Json(tensors, metadata, type).WrittenSpan;
        var length = (text.Length + Alignment - 1) / Alignment * Alignment;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, SafetensorsReader.MaxHeaderBytes, nameof(tensors));

        var header = new byte[SafetensorsReader.PrefixBytes + length];
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        text.CopyTo(header.AsSpan(SafetensorsReader.PrefixBytes));
        header.AsSpan(SafetensorsReader.PrefixBytes + text.Length).Fill((byte)' ');
        return header;
    }

    static ArrayBufferWriter<byte> Json(
        OrderedDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string> metadata, ElementType type)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(bytes);
        json.WriteStartObject();
        if (metadata.Count > 0) WriteMetadata(json, metadata);
        long offset = 0;
        foreach (var (name, tensor) in tensors)
        {
            json.WriteStartObject(StrictUtf8.GetBytes(name));
            json.WriteString("dtype"u8, type.ToString());
            WriteIntegers(json, "shape"u8, [.. tensor.Shape.Extents]);
            WriteIntegers(json, "data_offsets"u8, offset, offset += (long)tensor.Shape.ElementCount * type.Bytes());
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.Flush();
        return bytes;
    }

    static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string> metadata)
    {
        json.WriteStartObject(SafetensorsReader.MetadataKey);
        foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            json.WriteString(StrictUtf8.GetBytes(key), StrictUtf8.GetBytes(value));
        json.WriteEndObject();
    }

    static void WriteIntegers(Utf8JsonWriter json, ReadOnlySpan<byte> name, params ReadOnlySpan<long> integers)
    {
        json.WriteStartArray(name);
        foreach (var integer in integers) json.WriteNumberValue(integer);
        json.WriteEndArray();
    }

    static void WriteValues(Stream stream, ReadOnlySpan<float> values, ElementType type)
    {
        var bytes = new byte[Math.Min(Part, values.Length) * type.Bytes()];
        while (values.Length > 0)
        {
            var part = values[..Math.Min(Part, values.Length)];
            var encoded = bytes.AsSpan(0, part.Length * type.Bytes());
            type.FromFloat32(part, encoded);
            stream.Write(encoded);
            values = values[part.Length..];
        }
    }
}
