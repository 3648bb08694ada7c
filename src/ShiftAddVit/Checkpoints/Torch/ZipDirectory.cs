using System.Buffers.Binary;
using System.Text;

namespace ShiftAddVit.Checkpoints.Torch;

/// <summary>Where the bytes of a zip entry lie in the file.</summary>
readonly record struct ZipEntry(long Offset, long Length);

/// <summary>
/// Reads the list of entries of a zip file (PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3). Entries must be stored as they are, as
/// PyTorch writes them: they can then be mapped, and none can expand.
/// </summary>
static class ZipDirectory
{
    const uint EndSignature = 0x06054b50, End64Signature = 0x06064b50, Locator64Signature = 0x07064b50;
    const uint EntrySignature = 0x02014b50, LocalSignature = 0x04034b50;
    const int EndBytes = 22, End64Bytes = 56, Locator64Bytes = 20, EntryBytes = 46, LocalBytes = 30;
    const int MaxComment = ushort.MaxValue;
    const ushort Zip64Field = 1;

    static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    public static Dictionary<string, ZipEntry> Read(MappedFile file)
    {
        var (count, offset) = FindDirectory(file);
        if (count > CheckpointIndex.MaxEntries)
            throw new InvalidDataException($"is a zip file with {count} entries; allowed are {CheckpointIndex.MaxEntries:N0}");
        var entries = new Dictionary<string, ZipEntry>();
        for (ulong i = 0; i < count; i++)
        {
            var (name, entry, next) = ReadEntry(file, offset);
            if (!entries.TryAdd(name, entry)) throw new InvalidDataException($"zip entry {ErrorText.Quote(name)} is listed twice");
            offset = next;
        }
        return entries;
    }

    static (ulong Count, long Offset) FindDirectory(MappedFile file)
    {
        var end = FindEnd(file);
        var record = file.Bytes(end, EndBytes);
        var count = U16(record, 10);
        var offset = U32(record, 16);
        if (count != ushort.MaxValue && offset != uint.MaxValue) return (count, offset);

        var locator = Signed(file.Bytes(end - Locator64Bytes, Locator64Bytes), Locator64Signature);
        var record64 = Signed(file.Bytes((long)U64(locator, 8), End64Bytes), End64Signature);
        return (U64(record64, 32), (long)U64(record64, 48));
    }

    /// <summary>The end record lies last, before a comment whose length it states.</summary>
    static long FindEnd(MappedFile file)
    {
        var tail = file.Bytes(Math.Max(0, file.Length - EndBytes - MaxComment), (int)Math.Min(file.Length, EndBytes + MaxComment));
        for (var i = tail.Length - EndBytes; i >= 0; i--)
            if (U32(tail, i) == EndSignature && i + EndBytes + U16(tail, i + 20) == tail.Length)
                return file.Length - tail.Length + i;
        throw new InvalidDataException("is a truncated zip file: it has no end record");
    }

    static (string Name, ZipEntry Entry, long Next) ReadEntry(MappedFile file, long offset)
    {
        var header = Signed(file.Bytes(offset, EntryBytes), EntrySignature);
        var (nameLength, extraLength, commentLength) = (U16(header, 28), U16(header, 30), U16(header, 32));
        var nameBytes = file.Bytes(offset + EntryBytes, nameLength);
        var extra = file.Bytes(offset + EntryBytes + nameLength, extraLength);
        var name = CheckedName(nameBytes);
        ulong size = U32(header, 24), stored = U32(header, 20), local = U32(header, 42);
        ReadZip64(extra, ref size, ref stored, ref local);

        var (encrypted, method) = ((U16(header, 8) & 1) != 0, U16(header, 10));
        if (encrypted || method != 0 || size != stored)
            throw new InvalidDataException(
                $"zip entry {ErrorText.Quote(name)} is compressed or encrypted; PyTorch stores entries as they are");
        var entry = Locate(file, nameBytes, (long)local, (long)size);
        return (name, entry, offset + EntryBytes + nameLength + extraLength + commentLength);
    }

    /// <summary>Replaces the values that did not fit 32 bits, in the order that the format prescribes.</summary>
    static void ReadZip64(ReadOnlySpan<byte> extra, ref ulong size, ref ulong stored, ref ulong local)
    {
        for (; extra.Length >= 4; extra = extra[Math.Min(extra.Length, 4 + U16(extra, 2))..])
        {
            if (U16(extra, 0) != Zip64Field) continue;
            var field = extra[4..Math.Min(extra.Length, 4 + U16(extra, 2))];
            Take(ref field, ref size);
            Take(ref field, ref stored);
            Take(ref field, ref local);
            return;
        }
    }

    static void Take(ref ReadOnlySpan<byte> field, ref ulong value)
    {
        if (value != uint.MaxValue || field.Length < sizeof(ulong)) return;
        value = U64(field, 0);
        field = field[sizeof(ulong)..];
    }

    static ZipEntry Locate(MappedFile file, ReadOnlySpan<byte> name, long local, long length)
    {
        var header = Signed(file.Bytes(local, LocalBytes), LocalSignature);
        if (!file.Bytes(local + LocalBytes, U16(header, 26)).SequenceEqual(name))
            throw new InvalidDataException("is a malformed zip file: its two lists of entries differ");
        var offset = local + LocalBytes + U16(header, 26) + U16(header, 28);
        if (length < 0 || offset > file.Length - length)
            throw new InvalidDataException("is a truncated zip file: an entry ends beyond the file");
        return new(offset, length);
    }

    /// <summary>Nothing is unpacked, so no name can escape; one that would is still no work of PyTorch.</summary>
    static string CheckedName(ReadOnlySpan<byte> bytes)
    {
        string name;
        try
        {
            name = StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException("is a zip file with an entry name that is not UTF-8", e);
        }
        var drive = name.Length > 1 && name[1] == ':' && char.IsAsciiLetter(name[0]);
        if (drive || name.StartsWith('/') || name.Contains('\\') || name.Split('/').Contains(".."))
            throw new InvalidDataException(
                $"zip entry {ErrorText.Quote(name)} has a name that leaves its directory; such files are refused");
        return name;
    }

    static ReadOnlySpan<byte> Signed(ReadOnlySpan<byte> record, uint signature) => U32(record, 0) == signature
        ? record
        : throw new InvalidDataException("is a malformed zip file: a record is not where it should be");

    static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);
}
