using ShiftAddVit.Checkpoints;
using static ShiftAddVit.Tests.Checkpoints.Torch.TorchBytes;

namespace ShiftAddVit.Tests.Checkpoints.Torch;

/// <summary>The 64-bit records that files above 4 GiB need, in small files (APPNOTE 4.3.14 to 4.3.16 and 4.5.3).</summary>
public class Zip64Tests
{
    /// <summary>PyTorch always writes the 64-bit end record; here the short one refers to it.</summary>
    [Fact]
    public void The_end_record_of_pytorch_is_followed()
    {
        var bytes = Fixture.Bytes("views.pth");
        bytes.AsSpan(bytes.Length - 22 + 8, 12).Fill(0xff);
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", bytes));
        Assert.Equal(Fixture.ExpectedOf("views.pth").Select(tensor => tensor.Name), checkpoint.Tensors.Keys);
    }

    [Fact]
    public void An_end_record_that_is_not_there_is_refused()
    {
        var bytes = Fixture.Bytes("views.pth");
        bytes.AsSpan(bytes.Length - 22 + 8, 12).Fill(0xff);
        bytes[bytes.Length - 22 - 20] ^= 1;
        Refused.ToOpen(bytes, "malformed zip file");
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(1UL << 63)]
    [InlineData(ulong.MaxValue)]
    public void Sizes_and_offsets_of_64_bits_are_followed(ulong tooLong)
    {
        var pickle = Raw("\u0080\u0002" + Dict(Tensor(0, [1], [1], 1)));
        List<byte> bytes = [], central = [];
        Add(bytes, central, "a/data.pkl", pickle, (ulong)pickle.Length);
        Add(bytes, central, "a/data/0", BitConverter.GetBytes(7f), 4 + tooLong);
        bytes.AddRange([.. central, .. "PK\u0005\u0006"u8, .. new byte[4], .. U16(2), .. U16(2),
            .. U32((uint)central.Count), .. U32((uint)bytes.Count), 0, 0]);
        if (tooLong > 0)
        {
            Refused.ToOpen(bytes.ToArray());
            return;
        }
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", bytes.ToArray()));
        Assert.Equal([7f], checkpoint.ReadFloat32("w").Values);
    }

    /// <summary>Appends an entry whose central record has its sizes and offset in a 64-bit field, after a field of another kind.</summary>
    static void Add(List<byte> bytes, List<byte> central, string name, byte[] data, ulong size)
    {
        var local = (ulong)bytes.Count;
        bytes.AddRange([.. "PK\u0003\u0004"u8, .. new byte[22], .. U16(name.Length), .. U16(0), .. Raw(name), .. data]);
        byte[] extra = [.. U16(99), .. U16(2), 0, 0, .. U16(1), .. U16(24), .. U64(size), .. U64(size), .. U64(local)];
        central.AddRange([.. "PK\u0001\u0002"u8, .. new byte[16], .. U32(uint.MaxValue), .. U32(uint.MaxValue),
            .. U16(name.Length), .. U16(extra.Length), .. new byte[10], .. U32(uint.MaxValue), .. Raw(name), .. extra]);
    }

    static byte[] U16(int value) => BitConverter.GetBytes((ushort)value);

    static byte[] U32(uint value) => BitConverter.GetBytes(value);

    static byte[] U64(ulong value) => BitConverter.GetBytes(value);
}
