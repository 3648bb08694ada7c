using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Packing;

/// <summary>Packed files taken apart and put together again by the description of the format, right or wrong.</summary>
sealed class SavitBytes(byte[] bytes)
{
    const int Prologue = 64;

    public byte[] Bytes { get; } = bytes;

    public static SavitBytes Of(VitGraph graph)
    {
        using var folder = new TemporaryFolder();
        PackedModel.Pack(graph).Save(folder["model.savit"]);
        return new(File.ReadAllBytes(folder["model.savit"]));
    }

    public static SavitBytes Of(WeightFormat format) => Of(LinearPass.Apply(TinyModels.Create(), format).Graph);

    public int HeaderLength => BinaryPrimitives.ReadInt32LittleEndian(Bytes.AsSpan(12));

    public string Header => Encoding.UTF8.GetString(Bytes.AsSpan(Prologue, HeaderLength));

    public int PlanesOffset => Align(Prologue + HeaderLength);

    static int Align(int length) => (length + 63) & -64;

    /// <summary>The same planes under another header, its lengths and hash made to fit.</summary>
    public SavitBytes WithHeader(string header)
    {
        var text = Encoding.UTF8.GetBytes(header);
        var file = new byte[Align(Prologue + text.Length) + Bytes.Length - PlanesOffset];
        Bytes.AsSpan(0, Prologue).CopyTo(file);
        file.AsSpan(Prologue, Align(text.Length)).Fill((byte)' ');
        text.CopyTo(file, Prologue);
        Bytes.AsSpan(PlanesOffset).CopyTo(file.AsSpan(Align(Prologue + text.Length)));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), text.Length);
        return new SavitBytes(file).Sealed();
    }

    public SavitBytes WithHeader(Action<JsonObject> change)
    {
        var header = JsonNode.Parse(Header)!.AsObject();
        change(header);
        return WithHeader(header.ToJsonString());
    }

    /// <summary>The file with some bytes of a plane replaced, its hash made to fit.</summary>
    public SavitBytes WithPlaneBytes(string plane, ReadOnlySpan<byte> replacement)
    {
        var file = (byte[])Bytes.Clone();
        replacement.CopyTo(file.AsSpan(OffsetOf(plane)));
        return new SavitBytes(file).Sealed();
    }

    /// <summary>Where a plane starts, from the shapes that the architecture of <see cref="TinyModels"/> gives.</summary>
    public int OffsetOf(string wanted)
    {
        var shapes = TinyModels.Architecture.Parameters().ToDictionary();
        var offset = PlanesOffset;
        foreach (var plane in JsonNode.Parse(Header)!["planes"]!.AsArray())
        {
            var (name, encoding) = ((string)plane!["name"]!, (string)plane["encoding"]!);
            if (name == wanted) return offset;
            var isScale = name.EndsWith(".scale", StringComparison.Ordinal);
            var shape = shapes[isScale ? name[..^".scale".Length] : name];
            var (rows, elements) = (shape[0], isScale ? shape[0] : shape.ElementCount);
            offset += Align(encoding switch
            {
                "F32" => 4 * elements,
                "F16" => 2 * elements,
                "P4" => rows * ((elements / rows + 1) / 2),
                "P5" => rows * ((5 * (elements / rows) + 7) / 8),
                _ => elements,
            });
        }
        throw new KeyNotFoundException(wanted);
    }

    /// <summary>File length and hash made to fit the rest.</summary>
    public SavitBytes Sealed()
    {
        var file = (byte[])Bytes.Clone();
        BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(16), file.Length);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(file.AsSpan(0, 24));
        hash.AppendData(file.AsSpan(Prologue));
        hash.GetHashAndReset(file.AsSpan(24));
        return new(file);
    }
}
