using NetVips;

namespace ShiftAddVit.Imaging;

/// <summary>
/// Fetches the rows of a libvips image strip by strip, turns each pixel to RGB and puts it where the EXIF orientation wants it:
/// beside the result only one strip is held.
/// </summary>
static class PixelReader
{
    const int StripBytes = 1 << 16;

    public static RgbImage Read(Image image)
    {
        if (image.Format == Enums.BandFormat.Uchar) return ReadBytes(image);
        // Sixteen bits, of which Pillow too keeps the high byte.
        using var narrowed = image.Cast(Enums.BandFormat.Uchar, shift: true);
        return ReadBytes(narrowed);
    }

    static RgbImage ReadBytes(Image image)
    {
        var (width, height, bands) = (image.Width, image.Height, image.Bands);
        var placement = new Placement(width, height, Orientation(image));
        var pixels = GC.AllocateUninitializedArray<byte>(width * height * RgbImage.Channels);
        var isCmyk = image.Interpretation == Enums.Interpretation.Cmyk;
        var stripRows = Math.Clamp(StripBytes / (width * bands), 1, height);
        using var region = Region.New(image);
        for (var top = 0; top < height; top += stripRows)
        {
            var rows = Math.Min(stripRows, height - top);
            ReadOnlySpan<byte> strip = region.Fetch(0, top, width, rows);
            for (var y = 0; y < rows; y++)
                PlaceRow(strip.Slice(y * width * bands, width * bands), bands, isCmyk, placement, top + y, pixels);
        }
        return new(placement.Width, placement.Height, pixels);
    }

    // Bands: 1 grey, 2 grey and alpha, 3 RGB, 4 CMYK or RGB and alpha.
    static void PlaceRow(ReadOnlySpan<byte> row, int bands, bool isCmyk, in Placement placement, int y, byte[] pixels)
    {
        var at = placement.Start(y);
        if (bands == 3 && placement.StepX == 3)
        {
            row.CopyTo(pixels.AsSpan(at));
            return;
        }
        for (var x = 0; x < row.Length; x += bands, at += placement.StepX)
        {
            var pixel = row.Slice(x, bands);
            var rgb = pixels.AsSpan(at, RgbImage.Channels);
            if (isCmyk) CmykToRgb(pixel, rgb);
            else if (bands < 3) rgb.Fill(pixel[0]);
            else pixel[..3].CopyTo(rgb);
        }
    }

    // No inks' profile is known: channel = (255 - ink) * (255 - black) / 255, rounded as Pillow rounds it.
    static void CmykToRgb(ReadOnlySpan<byte> cmyk, Span<byte> rgb)
    {
        var light = 255 - cmyk[3];
        for (var c = 0; c < RgbImage.Channels; c++) rgb[c] = (byte)(light - DivideBy255(cmyk[c] * light));
    }

    // round(n / 255), exact for 0..65025.
    static int DivideBy255(int n) => (n + 128 + ((n + 128) >> 8)) >> 8;

    static int Orientation(Image image) =>
        image.Contains("orientation") && image.Get("orientation") is int value and >= 1 and <= 8 ? value : 1;

    /// <summary>Where pixel (x, y) as stored lands, in bytes: Start(y) + x * StepX. EXIF numbers the flips and turns 1 to 8.</summary>
    readonly struct Placement
    {
        readonly int _origin;
        readonly int _stepY;

        public Placement(int width, int height, int orientation)
        {
            var transposed = orientation >= 5;
            (Width, Height) = transposed ? (height, width) : (width, height);
            var (stepX, stepY) = (RgbImage.Channels, Width * RgbImage.Channels);
            if (transposed) (stepX, stepY) = (stepY, stepX);
            if (orientation is 2 or 3 or 7 or 8) (_origin, stepX) = (_origin + stepX * (width - 1), -stepX);
            if (orientation is 3 or 4 or 6 or 7) (_origin, stepY) = (_origin + stepY * (height - 1), -stepY);
            (StepX, _stepY) = (stepX, stepY);
        }

        public int Width { get; }

        public int Height { get; }

        public int StepX { get; }

        public int Start(int y) => _origin + y * _stepY;
    }
}
