using System.Collections.Immutable;
using CsCheck;
using ShiftAddVit.Models;

namespace ShiftAddVit.Imaging.Tests;

public class ImagePreprocessorTests
{
    public static TheoryData<string> Crops => Fixture.Names("Crops", ".jpg");

    [Theory]
    [MemberData(nameof(Crops))]
    public void Resize_and_crop_equal_Pillow_to_the_bit(string name)
    {
        var numbers = name.Split('_').Skip(1).Select(int.Parse).ToArray();
        var expected = ImageDecoder.Decode(Fixture.PathOf("Crops", name + ".png"));
        var actual = Of(numbers[0], numbers[1]).Crop(ImageDecoder.Decode(Fixture.PathOf("Crops", name + ".jpg")));
        Assert.Equal((expected.Width, expected.Height), (actual.Width, actual.Height));
        var differences = expected.Pixels.Zip(actual.Pixels, (e, a) => Math.Abs(e - a)).ToArray();
        Assert.True(differences.Max() == 0, $"mean {differences.Average()}, max {differences.Max()} levels");
    }

    [Fact]
    public void Twenty_sizes_are_golden() => Assert.Equal(20, Crops.Count);

    [Fact]
    public void Values_are_the_float32_arithmetic_of_ToTensor_and_Normalize()
    {
        var preprocessor = Of(null, 1);
        var planes = new float[3];
        for (var level = 0; level < 256; level++)
        {
            preprocessor.Apply(new(1, 1, [(byte)level, (byte)(255 - level), (byte)level]), planes);
            var (red, green) = ((level / 255f - 0.485f) / 0.229f, ((255 - level) / 255f - 0.456f) / 0.224f);
            Assert.Equal([red, green, (level / 255f - 0.406f) / 0.225f], planes);
        }
    }

    [Fact]
    public void Planes_are_channel_first_and_row_major()
    {
        byte[] pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        var planes = new float[12];
        new ImagePreprocessor(new(null, 2, [0, 0, 0], [1, 1, 1])).Apply(new(2, 2, pixels), planes);
        Assert.Equal(new float[] { 1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12 }.Select(level => level / 255f), planes);
    }

    [Theory]
    [InlineData(227, 224, 2)]
    [InlineData(225, 224, 0)]
    [InlineData(229, 224, 2)]
    [InlineData(231, 224, 4)]
    [InlineData(256, 224, 16)]
    [InlineData(224, 224, 0)]
    public void Crop_offsets_round_half_to_even(int side, int crop, int offset) =>
        Assert.Equal(offset, ImagePreprocessor.CropOffset(side, crop));

    [Fact]
    public void A_crop_is_within_half_a_pixel_of_the_centre_and_inside() =>
        Gen.Select(Gen.Int[1, 40_000], Gen.Int[0, 40_000]).Sample((crop, more) =>
        {
            var offset = ImagePreprocessor.CropOffset(crop + more, crop);
            return offset >= 0 && offset <= more && Math.Abs(2 * offset - more) <= 1 && (2 * offset == more || offset % 2 == 0);
        });

    [Fact]
    public void A_resized_image_keeps_its_short_side_and_rounds_the_long_one_down() =>
        Gen.Select(Gen.Int[1, 32_768], Gen.Int[1, 32_768], Gen.Int[1, 1024]).Sample((width, height, side) =>
        {
            var (w, h) = ImagePreprocessor.ResizedSize(width, height, side);
            var expected = (int)((double)side * Math.Max(width, height) / Math.Min(width, height));
            return Math.Min(w, h) == side && Math.Max(w, h) == expected && (w <= h) == (width <= height || w == h);
        });

    [Fact]
    public void A_flat_image_stays_flat_whatever_the_size() =>
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 300], Gen.Int[1, 64], Gen.Byte).Sample((width, height, side, level) =>
        {
            var pixels = new byte[width * height * 3];
            pixels.AsSpan().Fill(level);
            return Of(side, side).Crop(new(width, height, pixels)).Pixels.All(p => p == level);
        }, iter: 300);

    [Fact]
    public void Without_resize_an_image_is_only_cropped()
    {
        var image = Noise(31, 40);
        var crop = Of(null, 24).Crop(image);
        for (var y = 0; y < 24; y++) Assert.Equal(image.Row(y + 8).Slice(4 * 3, 24 * 3), crop.Row(y));
    }

    [Fact]
    public void An_image_smaller_than_the_crop_names_its_size_and_the_crop()
    {
        var planes = new float[3 * 224 * 224];
        var path = Fixture.PathOf("Decode", "rgb.png");
        var message = Assert.Throws<ShiftAddVitException>(() => Of(null, 224).Load(path, planes)).Message;
        Assert.StartsWith(path + ": 26x17 pixels are fewer than the crop of 224x224;", message);
    }

    [Fact]
    public void Thin_images_are_resized_within_bounded_memory()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var thin = new RgbImage(1, ImageDecoder.MaxSide, new byte[ImageDecoder.MaxSide * 3]);
        Assert.Equal(224, Of(256, 224).Crop(thin).Width);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    [Fact]
    public void One_preprocessor_serves_many_threads()
    {
        var (image, preprocessor) = (Noise(90, 70), Of(64, 56));
        var expected = new float[preprocessor.Length];
        preprocessor.Apply(image, expected);
        Parallel.For(0, 32, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            var actual = new float[preprocessor.Length];
            preprocessor.Apply(image, actual);
            Assert.Equal(expected, actual);
        });
    }

    [Fact]
    public void A_span_of_another_length_is_a_bug() =>
        Assert.Throws<ArgumentException>(() => Of(null, 2).Apply(Noise(2, 2), new float[11]));

    [Theory]
    [InlineData(null, 0, "crop 0")]
    [InlineData(null, 5000, "crop 5000")]
    [InlineData(200, 224, "resize 200")]
    [InlineData(40_000, 224, "resize 40000")]
    public void Sides_out_of_range_are_refused(int? resize, int crop, string named) =>
        Assert.Contains(named, Assert.Throws<ShiftAddVitException>(() => Of(resize, crop)).Message);

    [Fact]
    public void Means_and_deviations_must_be_three_usable_numbers()
    {
        AssertRefused("mean", [0.5f, 0.5f], Preprocessing.Half);
        AssertRefused("mean", [0.5f, float.NaN, 0.5f], Preprocessing.Half);
        AssertRefused("mean", default, Preprocessing.Half);
        AssertRefused("std", Preprocessing.Half, [1, 1, 0]);
        AssertRefused("std", Preprocessing.Half, [1, float.PositiveInfinity, 1]);

        static void AssertRefused(string named, ImmutableArray<float> mean, ImmutableArray<float> std) =>
            Assert.Contains(named, Assert.Throws<ShiftAddVitException>(() => new ImagePreprocessor(new(256, 224, mean, std))).Message);
    }

    static ImagePreprocessor Of(int? resize, int crop) => new(new(resize, crop, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd));

    static RgbImage Noise(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        new Random(1).NextBytes(pixels);
        return new(width, height, pixels);
    }
}
