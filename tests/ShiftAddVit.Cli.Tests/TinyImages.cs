namespace ShiftAddVit.Cli.Tests;

/// <summary>Small seeded pictures.</summary>
static class TinyImages
{
    const int Channels = 3;

    public static byte[] Pixels(int width, int height, int seed)
    {
        var pixels = new byte[width * height * Channels];
        new Random(seed).NextBytes(pixels);
        return pixels;
    }

    public static string Write(string path, int width, int height, int seed) => Write(path, width, height, Pixels(width, height, seed));

    public static string Write(string path, int width, int height, byte[] pixels)
    {
        using var image = NetVips.Image.NewFromMemory(pixels, width, height, Channels, NetVips.Enums.BandFormat.Uchar);
        image.WriteToFile(path);
        return path;
    }
}
