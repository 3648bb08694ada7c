using System.Buffers.Binary;
using System.Security.Cryptography;
using ShiftAddVit.Models;

namespace ShiftAddVit.Packing;

/// <summary>Writes the packed file of a model; the same model always gives the same bytes.</summary>
sealed class SavitWriter
{
    readonly List<(Plane Plane, Func<byte[]> Bytes)> _planes;
    readonly byte[] _header;
    readonly byte[] _prologue = new byte[SavitFormat.PrologueLength];

    public SavitWriter(VitGraph graph)
    {
        graph.Preprocessing?.Validate(graph.Provenance.Source, graph.Architecture.ImageSize);
        _planes = SavitFormat.Planes(graph);
        var header = new SavitHeader(graph.Architecture, graph.Preprocessing, graph.ClassNames, graph.Provenance, [.. Planes]);
        _header = SavitHeaderJson.Write(header);
        if (_header.Length > SavitFormat.MaxHeaderLength)
            throw new ShiftAddVitException(
                $"{graph.Provenance.Source}: class names and provenance make a header of {_header.Length} bytes;"
                + $" allowed: at most {SavitFormat.MaxHeaderLength}");
        ByteLength = Seal(header.Version);
    }

    public IEnumerable<Plane> Planes => _planes.Select(entry => entry.Plane);

    public long ByteLength { get; }

    public ReadOnlySpan<byte> Sha256 => _prologue.AsSpan(SavitFormat.HashOffset, SavitFormat.HashLength);

    public void Write(Stream stream)
    {
        stream.Write(_prologue);
        foreach (var part in Body()) stream.Write(part);
    }

    /// <summary>Fills the prologue: the hash covers its first fields and all that follows it.</summary>
    long Seal(uint version)
    {
        SavitFormat.Magic.CopyTo(_prologue);
        BinaryPrimitives.WriteUInt32LittleEndian(_prologue.AsSpan(8), version);
        BinaryPrimitives.WriteInt32LittleEndian(_prologue.AsSpan(12), _header.Length);
        var length = _prologue.Length + Body().Sum(part => (long)part.Length);
        BinaryPrimitives.WriteInt64LittleEndian(_prologue.AsSpan(16), length);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(_prologue.AsSpan(0, SavitFormat.HashOffset));
        foreach (var part in Body()) hash.AppendData(part);
        hash.GetHashAndReset(_prologue.AsSpan(SavitFormat.HashOffset));
        return length;
    }

    /// <summary>What follows the prologue: header and planes, each with its padding.</summary>
    IEnumerable<byte[]> Body()
    {
        yield return _header;
        yield return Padding(_header.Length, (byte)' ');
        foreach (var (_, make) in _planes)
        {
            var bytes = make();
            yield return bytes;
            yield return Padding(bytes.Length, 0);
        }
    }

    static byte[] Padding(int length, byte fill)
    {
        var padding = new byte[SavitFormat.Align(length) - length];
        Array.Fill(padding, fill);
        return padding;
    }
}
