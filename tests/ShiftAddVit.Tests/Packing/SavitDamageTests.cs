using System.Buffers.Binary;
using System.Text;
using CsCheck;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Packing;

/// <summary>Files that were cut, damaged or made to lie. All of it ends in one line that names the file.</summary>
public sealed class SavitDamageTests : IDisposable
{
    static readonly SavitBytes Good = SavitBytes.Of(WeightFormat.P4);

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string Write(ReadOnlySpan<byte> bytes)
    {
        File.WriteAllBytes(_folder["model.savit"], bytes);
        return _folder["model.savit"];
    }

    void Refuses(ReadOnlySpan<byte> bytes, params string[] words)
    {
        var path = Write(bytes);
        Refused.By(path, () => PackedModel.Load(path), words);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    static byte[] Changed(Action<byte[]> change)
    {
        var bytes = (byte[])Good.Bytes.Clone();
        change(bytes);
        return bytes;
    }

    [Fact]
    public void The_untouched_file_loads() => Assert.Equal(7, PackedModel.Load(Write(Good.Sealed().Bytes)).Graph.Architecture.Classes);

    [Fact]
    public void A_file_cut_at_any_place_is_refused()
    {
        var (header, planes, end) = (Good.HeaderLength, Good.PlanesOffset, Good.Bytes.Length);
        int[] places = [1, 7, 8, 12, 16, 24, 40, 63, 64, 65, 64 + header / 2, 64 + header, planes - 1, planes, planes + 1, (planes + end) / 2, end - 64, end - 1];
        foreach (var length in places)
        {
            Refuses(Good.Bytes.AsSpan(0, length), length < 8 ? "not a packed model" : "truncated");
            // The same with a file length that fits what is left.
            if (length >= 64) Refuses(Changed(bytes => BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), length)).AsSpan(0, length));
        }
        Refuses([], "not a packed model");
    }

    [Fact]
    public void Bytes_after_the_end_are_refused()
    {
        Refuses([.. Good.Bytes, 0], "truncated or damaged");
        Refuses(new SavitBytes([.. Good.Bytes, .. new byte[64]]).Sealed().Bytes, "where its planes need");
    }

    [Fact]
    public void A_flipped_bit_is_noticed_wherever_it_is() => Gen.Int[0, 8 * Good.Bytes.Length - 1].Sample(bit =>
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.savit"], Changed(bytes => bytes[bit / 8] ^= (byte)(1 << (bit % 8))));
        Refused.By(folder["model.savit"], () => PackedModel.Load(folder["model.savit"]));
    }, iter: 400);

    [Fact]
    public void A_flipped_bit_of_the_prologue_is_noticed()
    {
        for (var bit = 0; bit < 8 * 64; bit++) Refuses(Changed(bytes => bytes[bit / 8] ^= (byte)(1 << (bit % 8))));
    }

    [Fact]
    public void A_damaged_plane_fails_the_checksum() =>
        Refuses(Changed(bytes => bytes[Good.OffsetOf("blocks.0.mlp.fc1.bias") + 1] ^= 1), "checksum does not match: the file is damaged");

    [Fact]
    public void A_newer_version_is_named() => Refuses(Changed(bytes => bytes[8] = 3), "format version 3; this library reads versions 1 and 2");

    [Theory]
    [InlineData(0u), InlineData(1u), InlineData(0x7fffffffu), InlineData(0x80000000u), InlineData(0xffffffffu)]
    public void A_header_length_that_lies_is_refused(uint length) =>
        Refuses(new SavitBytes(Changed(bytes => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), length))).Sealed().Bytes, "header");

    [Theory]
    [InlineData(0L), InlineData(64L), InlineData(-1L), InlineData(long.MinValue), InlineData(long.MaxValue)]
    public void A_file_length_that_lies_is_refused(long length) =>
        Refuses(Changed(bytes => BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), length)), "truncated or damaged");

    [Fact]
    public void Random_bytes_are_refused() => Gen.Byte.Array[0, 300].Sample(bytes =>
    {
        using var folder = new TemporaryFolder();
        foreach (var start in new[] { "", "SAVIT\r\n\u001a", "SAVIT\r\n\u001a\u0001\0\0\0" })
        {
            File.WriteAllBytes(folder["model.savit"], [.. Encoding.Latin1.GetBytes(start), .. bytes]);
            Refused.By(folder["model.savit"], () => PackedModel.Load(folder["model.savit"]));
        }
    }, iter: 100);

    [Fact]
    public void Random_headers_under_a_right_hash_are_refused() => Gen.Byte.Array[0, 200].Sample(bytes =>
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.savit"], Good.WithHeader(Encoding.Latin1.GetString(bytes)).Bytes);
        Refused.By(folder["model.savit"], () => PackedModel.Load(folder["model.savit"]));
    }, iter: 100);

    [Fact]
    public void A_header_with_one_character_changed_gives_a_model_or_one_line()
    {
        var header = Good.Header;
        Gen.Select(Gen.Int[0, header.Length - 1], Gen.Char[' ', '~']).Sample((place, character) =>
        {
            using var folder = new TemporaryFolder();
            var changed = header[..place] + character + header[(place + 1)..];
            File.WriteAllBytes(folder["model.savit"], Good.WithHeader(changed).Bytes);
            try
            {
                PackedModel.Load(folder["model.savit"]);
            }
            catch (ShiftAddVitException error)
            {
                Assert.DoesNotContain('\n', error.Message);
            }
        }, iter: 300);
    }

    [Fact]
    public void Other_files_and_no_files_are_refused()
    {
        Refuses("a text file, long enough to hold a whole prologue, and then some more of it"u8, "not a packed model (.savit)");
        Refuses(SafetensorsBytes.Of("{}", 0), "not a packed model (.savit)");
        Refused.By(_folder["absent.savit"], () => PackedModel.Load(_folder["absent.savit"]), "no such file");
        Refused.By(_folder["absent.savit"], () => PackedModel.Open(_folder["absent.savit"]), "no such file");
        Refused.By(_folder.Path, () => PackedModel.Load(_folder.Path), "is a directory");
        Assert.False(PackedModel.IsPacked(Write([])));
        Assert.False(PackedModel.IsPacked(Write("SAVIT"u8)));
    }

    [Fact]
    public void A_file_whose_first_bytes_cannot_be_read_is_refused()
    {
        const string Path = "/proc/self/mem";
        Assert.SkipUnless(File.Exists(Path), "there is no file here whose reading fails");
        Assert.StartsWith($"{Path}: cannot be read", Assert.Throws<ShiftAddVitException>(() => PackedModel.IsPacked(Path)).Message, StringComparison.Ordinal);
    }
}
