namespace ShiftAddVit.Imaging;

/// <summary>The three formats that are decoded.</summary>
enum ImageFormat { Unknown, Jpeg, Png, WebP }

static class ImageSignature
{
    /// <summary>Bytes from the start of a file that tell the formats apart.</summary>
    public const int Length = 12;

    static ReadOnlySpan<byte> Jpeg => [0xFF, 0xD8, 0xFF];

    static ReadOnlySpan<byte> Png => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>Tells the format by the first bytes alone: a file's name proves nothing.</summary>
    public static ImageFormat Sniff(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith(Jpeg)) return ImageFormat.Jpeg;
        if (start.StartsWith(Png)) return ImageFormat.Png;
        var isWebP = start.Length >= Length && start.StartsWith("RIFF"u8) && start[8..].StartsWith("WEBP"u8);
        return isWebP ? ImageFormat.WebP : ImageFormat.Unknown;
    }
}
