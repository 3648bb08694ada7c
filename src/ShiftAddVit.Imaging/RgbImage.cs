namespace ShiftAddVit.Imaging;

/// <summary>An image of 8 bits a channel: [Height, Width, 3] levels in the order R, G, B, row-major, without gaps.</summary>
public sealed class RgbImage
{
    /// <summary>Bytes a pixel.</summary>
    public const int Channels = 3;

    /// <summary>Wraps <paramref name="pixels"/> without a copy.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is not positive.</exception>
    /// <exception cref="ArgumentException">The number of bytes is not 3 * width * height.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        if (pixels.LongLength != (long)width * height * Channels)
            throw new ArgumentException($"{pixels.Length} bytes for {width}x{height} pixels of {Channels}", nameof(pixels));
        (Width, Height, Pixels) = (width, height, pixels);
    }

    /// <summary>Pixels in a row.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>The levels, 3 * Width * Height of them.</summary>
    public byte[] Pixels { get; }

    /// <summary>The levels of row <paramref name="y"/>.</summary>
    public ReadOnlySpan<byte> Row(int y) => Pixels.AsSpan(y * Width * Channels, Width * Channels);

    /// <summary>The size, for a debugger.</summary>
    public override string ToString() => $"{Width}x{Height}";
}
