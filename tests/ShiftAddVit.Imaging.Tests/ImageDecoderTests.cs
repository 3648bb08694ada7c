namespace ShiftAddVit.Imaging.Tests;

public class ImageDecoderTests
{
    public static TheoryData<string> Images => Fixture.Names("Decode", ".ppm");

    [Theory]
    [MemberData(nameof(Images))]
    public void Every_kind_of_image_decodes_to_the_levels_that_Pillow_reads(string name)
    {
        var expected = Fixture.ReadPpm(Fixture.PathOf("Decode", name + ".ppm"));
        AssertEqual(expected, ImageDecoder.Decode(Fixture.PathOf("Decode", name)));
        AssertEqual(expected, ImageDecoder.Decode(Fixture.Bytes(name), name));
    }

    [Fact]
    public void The_fixtures_hold_every_kind()
    {
        var names = Images.Select(row => row.Data).ToArray();
        string[] kinds = ["bilevel.png", "cmyk_adobe.jpg", "grey_16.png", "palette.png", "profile.jpg", "rgba.png", "animated.webp"];
        Assert.Equal(28, names.Length);
        Assert.Subset(names.ToHashSet(), kinds.ToHashSet());
    }

    [Fact]
    public void Content_decides_not_the_name()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("really_a_png.jpg", Fixture.Bytes("rgb.png"));
        Assert.Equal(ImageDecoder.Decode(Fixture.Bytes("rgb.png"), "png").Pixels, ImageDecoder.Decode(path).Pixels);
    }

    [Fact]
    public void Names_that_libvips_would_take_for_options_are_only_names()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.File("Grüße [page=2,n=-1].png", Fixture.Bytes("rgb.png"));
        Assert.Equal(26, ImageDecoder.Decode(path).Width);
    }

    [Fact]
    public void Many_threads_decode_the_same_levels()
    {
        var expected = ImageDecoder.Decode(Fixture.Bytes("progressive.jpg"), "one").Pixels;
        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
            Assert.Equal(expected, ImageDecoder.Decode(Fixture.Bytes("progressive.jpg"), $"image {i}").Pixels));
    }

    [Fact]
    public void Stray_bytes_between_segments_are_read_over_as_by_Pillow()
    {
        var bytes = Fixture.Bytes("sampling_420.jpg");
        var segment = bytes.AsSpan().IndexOf([(byte)0xFF, (byte)0xC4]);
        byte[] stray = [.. bytes[..segment], 0x00, 0x11, 0x22, .. bytes[segment..]];
        AssertEqual(Fixture.ReadPpm(Fixture.PathOf("Decode", "sampling_420.jpg.ppm")), ImageDecoder.Decode(stray, "stray.jpg"));
    }

    [Fact]
    public void Inks_without_the_marker_of_Adobe_are_inverted_too_as_by_Pillow()
    {
        var bytes = Fixture.Bytes("cmyk_adobe.jpg");
        var marker = bytes.AsSpan().IndexOf([(byte)0xFF, (byte)0xEE]);
        var length = 2 + (bytes[marker + 2] << 8 | bytes[marker + 3]);
        byte[] plain = [.. bytes[..marker], .. bytes[(marker + length)..]];
        AssertEqual(Fixture.ReadPpm(Fixture.PathOf("Decode", "cmyk_adobe.jpg.ppm")), ImageDecoder.Decode(plain, "plain.jpg"));
    }

    static void AssertEqual(RgbImage expected, RgbImage actual)
    {
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        Assert.Equal(expected.Pixels, actual.Pixels);
    }
}
