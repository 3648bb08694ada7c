using NetVips;

namespace ShiftAddVit.Imaging;

/// <summary>
/// Decodes JPEG, PNG and WebP (told by content, never by name) to 8-bit RGB as Pillow's <c>convert("RGB")</c> does after
/// <c>ImageOps.exif_transpose</c>: EXIF orientation is applied, alpha is dropped, colour profiles are ignored, grey is repeated,
/// CMYK becomes R = (255 - C)(255 - K) / 255, and of an animation the first frame counts. Sixteen bits keep their high byte.
/// Every member is thread-safe.
/// </summary>
/// <remarks>
/// The first use sets libvips, process-wide, to one thread an operation, no operation cache and no printed warnings: images are read
/// once, callers run several at a time, and problems are exceptions.
/// </remarks>
public static class ImageDecoder
{
    /// <summary>Longest side that is decoded, in pixels.</summary>
    public const int MaxSide = 32_768;

    /// <summary>Most pixels that are decoded: 300 MB of levels.</summary>
    public const int MaxPixels = 100_000_000;

    /// <summary>Largest file that is read, in bytes.</summary>
    public const long MaxFileBytes = 512L << 20;

    const string Allowed = "JPEG, PNG and WebP are read";

    static ImageDecoder()
    {
        if (!ModuleInitializer.VipsInitialized) return;
        NetVips.NetVips.Concurrency = 1;
        (Cache.Max, Cache.MaxMem, Cache.MaxFiles) = (0, 0, 0);
        // What matters comes back as an error; nothing else belongs on the error stream of a command.
        try
        {
            Log.SetLogHandler("VIPS", Enums.LogLevelFlags.Warning, static (_, _, _) => { });
        }
        catch (PlatformNotSupportedException)
        {
            // Compiled ahead and without executable memory there are no callbacks; images decode all the same.
        }
    }

    /// <summary>Name and version of the library that decodes.</summary>
    /// <exception cref="DllNotFoundException">It is not there for this system.</exception>
    public static string LibraryVersion => $"libvips {NetVips.NetVips.Version(0)}.{NetVips.NetVips.Version(1)}.{NetVips.NetVips.Version(2)}";

    /// <summary>Decodes a file.</summary>
    /// <exception cref="ShiftAddVitException">The file is missing, a directory, empty, too large, of another format or broken.</exception>
    public static RgbImage Decode(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var format = RequireFormat(ReadSignature(path), path);
        return Guard(path, format, () => Source.NewFromFile(path));
    }

    /// <summary>Decodes a file held in memory; <paramref name="name"/> stands for it in messages.</summary>
    /// <exception cref="ShiftAddVitException">The bytes are empty, too many, of another format or broken.</exception>
    public static RgbImage Decode(byte[] bytes, string name)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentNullException.ThrowIfNull(name);
        RequireLength(bytes.Length, name);
        return Guard(name, RequireFormat(bytes, name), () => Source.NewFromMemory(bytes));
    }

    static RgbImage Guard(string name, ImageFormat format, Func<Source> open)
    {
        if (!ModuleInitializer.VipsInitialized)
            throw Messages.Error(name, $"libvips cannot be loaded ({ModuleInitializer.Exception?.Message})", "NetVips.Native is needed");
        try
        {
            using var source = open();
            using var image = Open(source, format);
            RequireSize(image, name);
            return PixelReader.Read(image);
        }
        catch (VipsException e)
        {
            throw Messages.Error(name, $"is damaged or cut short ({Messages.Reason(e)})", "whole JPEG, PNG and WebP images are read", e);
        }
    }

    // Sequential: rows are decoded as they are fetched, so that only the result is held in full.
    static Image Open(Source source, ImageFormat format) => format switch
    {
        ImageFormat.Jpeg => Image.JpegloadSource(source, access: Enums.Access.Sequential, failOn: Enums.FailOn.Error),
        ImageFormat.Png => Image.PngloadSource(source, access: Enums.Access.Sequential, failOn: Enums.FailOn.Error),
        _ => Image.WebploadSource(source, page: 0, n: 1, access: Enums.Access.Sequential, failOn: Enums.FailOn.Error),
    };

    static void RequireSize(Image image, string name)
    {
        if (image.Width > MaxSide || image.Height > MaxSide || (long)image.Width * image.Height > MaxPixels)
        {
            var allowed = $"sides up to {MaxSide} and {MaxPixels} pixels in all are read";
            throw Messages.Error(name, $"{image.Width}x{image.Height} pixels are too many", allowed);
        }
    }

    static byte[] ReadSignature(string path)
    {
        if (Directory.Exists(path)) throw Messages.Error(path, "is a directory", "an image file is needed");
        var file = new FileInfo(path);
        if (!file.Exists) throw Messages.Error(path, "no such file", "an image file is needed");
        RequireLength(file.Length, path);
        try
        {
            using var stream = file.OpenRead();
            var start = new byte[ImageSignature.Length];
            var read = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            return start[..read];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Messages.Error(path, "cannot be read: " + e.Message, "a readable image file is needed", e);
        }
    }

    static void RequireLength(long bytes, string name)
    {
        if (bytes == 0) throw Messages.Error(name, "is empty", Allowed);
        if (bytes > MaxFileBytes) throw Messages.Error(name, $"{bytes} bytes are too many", $"up to {MaxFileBytes} are read");
    }

    static ImageFormat RequireFormat(ReadOnlySpan<byte> start, string name)
    {
        var format = ImageSignature.Sniff(start);
        if (format != ImageFormat.Unknown) return format;
        var hex = Convert.ToHexString(start[..Math.Min(start.Length, 4)]);
        throw Messages.Error(name, $"is no image that is known (it starts with {hex})", Allowed);
    }
}
