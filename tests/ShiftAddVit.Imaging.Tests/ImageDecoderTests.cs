namespace ShiftAddVit.Imaging.Tests;

public class ImageDecoderTests
{
    public static TheoryData<string> Images => Fixture.Names("Decode", ".ppm");

    [Theory]
    [MemberData(nameof(Images))]
    public void Every_kind_of_image_decodes_to_the_levels_that_Pillow_reads(string name)
    {
        var expected = Fixture.ReadPpm(Fixture.PathOf("Decode", name + ".ppm"));
        foreach (var actual in new[] { ImageDecoder.Decode(Fixture.PathOf("Decode", name)), ImageDecoder.Decode(Fixture.Bytes(name), name) })
        {
            Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
            Assert.Equal(expected.Pixels, actual.Pixels);
        }
    }

    [Fact]
    public void The_fixtures_hold_every_kind()
    {
        var names = Images.Select(row => row.Data).ToArray();
        string[] kinds = ["bilevel.png", "cmyk_adobe.jpg", "grey_16.png", "palette.png", "progressive.jpg", "profile.jpg", "rgba.png", "animated.webp"];
        Assert.Equal(27, names.Length);
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
}
