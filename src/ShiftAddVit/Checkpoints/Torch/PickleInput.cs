using System.Buffers.Binary;
using System.Text;

namespace ShiftAddVit.Checkpoints.Torch;

/// <summary>Reads the arguments of pickle opcodes from bytes, every length checked against what is left.</summary>
ref struct PickleInput(ReadOnlySpan<byte> bytes)
{
    static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    ReadOnlySpan<byte> _rest = bytes;

    public byte Byte() => Bytes(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Bytes(4));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    public ReadOnlySpan<byte> Bytes(ulong length)
    {
        if (length > (ulong)_rest.Length) throw new InvalidDataException("its pickle is truncated");
        var bytes = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return bytes;
    }

    public string Text(ulong length)
    {
        try
        {
            return StrictUtf8.GetString(Bytes(length));
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException("its pickle holds text that is not UTF-8", e);
        }
    }

    /// <summary>Text up to a line feed, which is consumed.</summary>
    public string Line()
    {
        var length = _rest.IndexOf((byte)'\n');
        if (length < 0) throw new InvalidDataException("its pickle is truncated");
        var line = Text((ulong)length);
        Bytes(1);
        return line;
    }

    /// <summary>A two's complement integer of any length; what exceeds 64 bits cannot describe a tensor.</summary>
    public object Integer(ulong length)
    {
        var bytes = Bytes(length);
        if (bytes.Length > sizeof(long)) return Inert.Instance;
        long value = bytes.Length > 0 && (bytes[^1] & 0x80) != 0 ? -1 : 0;
        for (var i = bytes.Length - 1; i >= 0; i--) value = value << 8 | bytes[i];
        return value;
    }
}
