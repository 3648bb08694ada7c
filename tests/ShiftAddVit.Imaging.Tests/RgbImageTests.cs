namespace ShiftAddVit.Imaging.Tests;

public class RgbImageTests
{
    [Fact]
    public void A_row_is_a_slice_of_the_pixels() =>
        Assert.Equal([6, 7, 8, 9, 10, 11], new RgbImage(2, 2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).Row(1).ToArray());

    [Fact]
    public void The_number_of_bytes_must_be_three_a_pixel() => Assert.Throws<ArgumentException>(() => new RgbImage(2, 2, new byte[11]));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, -1)]
    public void Sides_must_be_positive(int width, int height) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new RgbImage(width, height, []));
}
