using NetVips;

namespace ShiftAddVit.Imaging;

/// <summary>Writes images as PNG.</summary>
public static class PngEncoder
{
    /// <summary>The bytes of a PNG file, 8 bits a channel, without metadata.</summary>
    public static byte[] Encode(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var pixels = Image.NewFromMemory(image.Pixels, image.Width, image.Height, RgbImage.Channels, Enums.BandFormat.Uchar);
        using var colour = pixels.Copy(interpretation: Enums.Interpretation.Srgb);
        return colour.PngsaveBuffer();
    }
}
