using System.Buffers.Binary;
using System.Text;
using CsCheck;

namespace ShiftAddVit.Imaging.Tests;

public class BadImageTests
{
    [Fact]
    public void A_missing_file_is_named() => AssertRefused("nowhere.jpg", "no such file", () => ImageDecoder.Decode("nowhere.jpg"));

    [Fact]
    public void A_directory_is_no_image()
    {
        using var directory = new TemporaryDirectory();
        AssertRefused(directory.Path, "is a directory", () => ImageDecoder.Decode(directory.Path));
    }

    [Fact]
    public void A_file_of_0_bytes_is_refused()
    {
        using var directory = new TemporaryDirectory();
        AssertRefused("empty.jpg", "is empty", () => ImageDecoder.Decode(directory.File("empty.jpg")));
    }

    [Fact]
    public void Text_named_jpg_is_refused()
    {
        using var directory = new TemporaryDirectory();
        AssertRefused("text.jpg", "JPEG, PNG and WebP are read", () => ImageDecoder.Decode(directory.File("text.jpg", "hello")));
    }

    [Theory]
    [InlineData("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"8\" height=\"8\"/>")]
    [InlineData("%PDF-1.7\n")]
    [InlineData("GIF89a\u0001\u0001\u0001\u0001")]
    [InlineData("P6\n1 1\n255\nabc")]
    [InlineData("RIFF\u0001\u0001\u0001\u0001WAVE")]
    public void Formats_beyond_the_three_never_reach_a_loader(string content) =>
        AssertRefused("picture", "is no image that is known", () => ImageDecoder.Decode(Encoding.ASCII.GetBytes(content), "picture"));

    [Fact]
    public void A_file_that_may_not_be_read_is_refused()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("locked.png", Fixture.Bytes("rgb.png"));
        using var locked = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        AssertRefused("locked.png", "cannot be read", () => ImageDecoder.Decode(path));
    }

    [Fact]
    public void A_file_beyond_512_MiB_is_refused_unread()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("huge.png", Fixture.Bytes("rgb.png"));
        using (var file = File.OpenWrite(path)) file.SetLength(ImageDecoder.MaxFileBytes + 1);
        AssertRefused("huge.png", $"up to {ImageDecoder.MaxFileBytes} are read", () => ImageDecoder.Decode(path));
    }

    [Theory]
    [InlineData(60_000, 60_000)]
    [InlineData(32_769, 1)]
    [InlineData(1, 32_769)]
    [InlineData(10_001, 10_000)]
    public void A_header_beyond_the_limits_is_refused_before_anything_is_allocated(int width, int height)
    {
        foreach (var bytes in new[] { JpegOfSize(width, height), PngOfSize(width, height) })
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            AssertRefused("bomb", $"{width}x{height} pixels are too many", () => ImageDecoder.Decode(bytes, "bomb"));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
    }

    [Fact]
    public void An_animation_on_a_canvas_beyond_the_limits_is_refused()
    {
        var bytes = Fixture.Bytes("animated.webp");
        var canvas = bytes.AsSpan().IndexOf("VP8X"u8) + 12;
        foreach (var side in new[] { canvas, canvas + 3 }) BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(side), 16_382);
        AssertRefused("bomb.webp", "16383x16383 pixels are too many", () => ImageDecoder.Decode(bytes, "bomb.webp"));
    }

    [Theory]
    [InlineData("sampling_420.jpg")]
    [InlineData("progressive.jpg")]
    [InlineData("rgb.png")]
    [InlineData("lossless.webp")]
    [InlineData("lossy.webp")]
    public void A_file_cut_short_is_an_error(string name)
    {
        var bytes = Fixture.Bytes(name);
        foreach (var length in new[] { 13, bytes.Length / 4, bytes.Length / 2, bytes.Length * 3 / 4 })
            AssertRefused("cut", "is damaged or cut short", () => ImageDecoder.Decode(bytes[..length], "cut"));
    }

    [Fact]
    public void A_damaged_file_is_an_error_of_one_line_on_disk_too()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("half\nway.png", Fixture.Bytes("rgb.png")[..90]);
        AssertRefused("half way.png", "is damaged or cut short", () => ImageDecoder.Decode(path));
    }

    [Theory]
    [InlineData("sampling_420.jpg")]
    [InlineData("progressive.jpg")]
    [InlineData("cmyk_adobe.jpg")]
    [InlineData("orientation_6.jpg")]
    [InlineData("palette.png")]
    [InlineData("rgb_16.png")]
    [InlineData("lossy.webp")]
    [InlineData("animated.webp")]
    public void Mutated_bytes_decode_or_are_refused_and_nothing_else(string name)
    {
        var bytes = Fixture.Bytes(name);
        Gen.Select(Gen.Int[0, bytes.Length - 1], Gen.Byte).Array[1, 6].Sample(changes =>
        {
            var mutated = bytes.ToArray();
            foreach (var (at, value) in changes) mutated[at] = value;
            AssertDecodesOrIsRefused(mutated);
        }, iter: 300);
    }

    static void AssertDecodesOrIsRefused(byte[] bytes)
    {
        try
        {
            var image = ImageDecoder.Decode(bytes, "mutated");
            Assert.True((long)image.Width * image.Height <= ImageDecoder.MaxPixels);
        }
        catch (ShiftAddVitException e)
        {
            AssertOneLine(e.Message, "mutated");
        }
    }

    static void AssertRefused(string name, string reason, Action decode)
    {
        var message = Assert.Throws<ShiftAddVitException>(decode).Message;
        AssertOneLine(message, name);
        Assert.Contains(reason, message);
    }

    static void AssertOneLine(string message, string name)
    {
        Assert.Contains(name + ":", message);
        Assert.DoesNotContain(message, char.IsControl);
    }

    static byte[] JpegOfSize(int width, int height)
    {
        var bytes = Fixture.Bytes("sampling_444.jpg");
        var frame = bytes.AsSpan().IndexOf([(byte)0xFF, (byte)0xC0]) + 5;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(frame), (ushort)height);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(frame + 2), (ushort)width);
        return bytes;
    }

    static byte[] PngOfSize(int width, int height)
    {
        const int Header = 12;
        var bytes = Fixture.Bytes("rgb.png");
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(Header + 4), width);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(Header + 8), height);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(Header + 17), Crc32(bytes.AsSpan(Header, 17)));
        return bytes;
    }

    // The checksum of PNG chunks: reflected polynomial 0xEDB88320.
    static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320u);
        }
        return ~crc;
    }
}
