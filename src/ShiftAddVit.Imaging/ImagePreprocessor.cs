using System.Buffers;
using ShiftAddVit.Models;

namespace ShiftAddVit.Imaging;

/// <summary>
/// Turns an image into a model's input [3, crop, crop]: resize of the short side (antialiased bicubic, rounded to 8 bits), centre crop,
/// then x = (level / 255 - mean) / std in float32. The levels are equal to the bit to torchvision's Resize and CenterCrop on Pillow
/// images, the floats to its ToTensor and Normalize.
/// Immutable, thread-safe and deterministic; besides decoding, it allocates a few tables and no pixels.
/// </summary>
public sealed class ImagePreprocessor
{
    const int Levels = 256;

    // [3, 256]: every level's value in each of the channels.
    readonly float[] _values;

    /// <summary>Prepares for one model.</summary>
    /// <exception cref="ShiftAddVitException">A side, mean or deviation is out of range, or the resize is below the crop.</exception>
    public ImagePreprocessor(Preprocessing preprocessing)
    {
        ArgumentNullException.ThrowIfNull(preprocessing);
        preprocessing.Validate("image preparation");
        Preprocessing = preprocessing;
        _values = new float[RgbImage.Channels * Levels];
        for (var c = 0; c < RgbImage.Channels; c++)
            for (var level = 0; level < Levels; level++)
                _values[c * Levels + level] = (level / 255f - preprocessing.Mean[c]) / preprocessing.Std[c];
    }

    /// <summary>What is done.</summary>
    public Preprocessing Preprocessing { get; }

    /// <summary>Floats that an image takes: 3 * crop * crop.</summary>
    public int Length => RgbImage.Channels * Preprocessing.Crop * Preprocessing.Crop;

    /// <summary>Decodes the file and writes its planes, R then G then B, each [crop, crop] row-major.</summary>
    /// <exception cref="ShiftAddVitException">The file cannot be decoded, or is smaller than the crop and not resized.</exception>
    /// <exception cref="ArgumentException"><paramref name="planes"/> is not of <see cref="Length"/>.</exception>
    public void Load(string path, Span<float> planes) => Apply(ImageDecoder.Decode(path), planes, path);

    /// <summary>Writes the planes of a decoded image; <paramref name="name"/> stands for it in messages.</summary>
    /// <exception cref="ShiftAddVitException">The image is smaller than the crop and not resized.</exception>
    /// <exception cref="ArgumentException"><paramref name="planes"/> is not of <see cref="Length"/>.</exception>
    public void Apply(RgbImage image, Span<float> planes, string name = "image")
    {
        ArgumentNullException.ThrowIfNull(image);
        if (planes.Length != Length) throw new ArgumentException($"{planes.Length} floats for an input of {Length}", nameof(planes));
        var buffer = ArrayPool<byte>.Shared.Rent(Length);
        var window = buffer.AsSpan(0, Length);
        CutWindow(image, window, name);
        Normalise(window, planes);
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>The picture that the model sees: resized and cropped, before it is normalised.</summary>
    /// <exception cref="ShiftAddVitException">The image is smaller than the crop and not resized.</exception>
    public RgbImage Crop(RgbImage image, string name = "image")
    {
        ArgumentNullException.ThrowIfNull(image);
        var pixels = new byte[Length];
        CutWindow(image, pixels, name);
        return new(Preprocessing.Crop, Preprocessing.Crop, pixels);
    }

    /// <summary>First pixel of a centre crop, roundHalfEven((side - crop) / 2): 227 to 224 gives 2.</summary>
    public static int CropOffset(int side, int crop) => (int)Math.Round((side - crop) / 2.0, MidpointRounding.ToEven);

    /// <summary>Size of an image whose short side becomes <paramref name="shortSide"/>; the long side is rounded down.</summary>
    public static (int Width, int Height) ResizedSize(int width, int height, int shortSide) => width <= height
        ? (shortSide, (int)((long)shortSide * height / width))
        : ((int)((long)shortSide * width / height), shortSide);

    void CutWindow(RgbImage image, Span<byte> window, string name)
    {
        var crop = Preprocessing.Crop;
        var size = Preprocessing.Resize is { } side ? ResizedSize(image.Width, image.Height, side) : (image.Width, image.Height);
        if (size.Width < crop || size.Height < crop)
            throw Messages.Error(name, $"{image} pixels are fewer than the crop of {crop}x{crop}", "resize the image or use a larger one");
        var (left, top) = (CropOffset(size.Width, crop), CropOffset(size.Height, crop));
        if (size == (image.Width, image.Height)) Copy(image, left, top, crop, window);
        else CroppedResize.Run(image, size, left, top, crop, window);
    }

    static void Copy(RgbImage image, int left, int top, int crop, Span<byte> window)
    {
        var rowBytes = crop * RgbImage.Channels;
        for (var y = 0; y < crop; y++) image.Row(top + y).Slice(left * RgbImage.Channels, rowBytes).CopyTo(window[(y * rowBytes)..]);
    }

    void Normalise(ReadOnlySpan<byte> window, Span<float> planes)
    {
        var area = planes.Length / RgbImage.Channels;
        for (var c = 0; c < RgbImage.Channels; c++)
        {
            var values = _values.AsSpan(c * Levels, Levels);
            var plane = planes.Slice(c * area, area);
            for (int i = 0, at = c; i < plane.Length; i++, at += RgbImage.Channels) plane[i] = values[window[at]];
        }
    }
}
