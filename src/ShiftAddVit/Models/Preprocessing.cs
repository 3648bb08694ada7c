using System.Collections.Immutable;

namespace ShiftAddVit.Models;

/// <summary>
/// What a model expects to be done to an image before it sees it: resize the short side, crop the centre, then
/// x = (level / 255 - mean) / std for each of the channels R, G, B. Part of the model: checkpoints differ.
/// </summary>
/// <param name="Resize">
/// Length the short side is resized to, in pixels (antialiased bicubic), not below <paramref name="Crop"/>; null leaves the image as it is.
/// </param>
/// <param name="Crop">Side of the centre crop, in pixels: the side of the model's input. The offset is roundHalfEven((side - crop) / 2).</param>
/// <param name="Mean">Three means, in units of the full range of a channel.</param>
/// <param name="Std">Three standard deviations, in the same units; positive.</param>
public sealed record Preprocessing(int? Resize, int Crop, ImmutableArray<float> Mean, ImmutableArray<float> Std)
{
    /// <summary>Means of ImageNet's training images: what DeiT was trained with.</summary>
    public static ImmutableArray<float> ImageNetMean { get; } = [0.485f, 0.456f, 0.406f];

    /// <summary>Standard deviations of ImageNet's training images: what DeiT was trained with.</summary>
    public static ImmutableArray<float> ImageNetStd { get; } = [0.229f, 0.224f, 0.225f];

    /// <summary>One half for each channel: mean and standard deviation of the ViT releases by Google, which see -1..1.</summary>
    public static ImmutableArray<float> Half { get; } = [0.5f, 0.5f, 0.5f];

    /// <summary>Largest side of a crop, in pixels.</summary>
    public const int MaxCrop = 4096;

    /// <summary>Largest short side that an image is resized to, in pixels.</summary>
    public const int MaxResize = 16384;

    /// <summary>Checks the numbers.</summary>
    /// <param name="source">What to name in the error: a file or an option.</param>
    /// <param name="imageSize">The side of the model's input, which the crop must have; null where no model is known.</param>
    /// <exception cref="ShiftAddVitException">They cannot be used; the message says which and what is allowed.</exception>
    public void Validate(string source, int? imageSize = null)
    {
        Require(Crop is > 0 and <= MaxCrop, $"crop {Crop}; allowed: 1..{MaxCrop}");
        Require(imageSize is null || Crop == imageSize, $"crop {Crop} where the model's image size is {imageSize}");
        Require(Resize is null || (Resize >= Crop && Resize <= MaxResize), $"resize {Resize}; allowed: {Crop}..{MaxResize}");
        Require(!Mean.IsDefault && Mean.Length == 3 && Mean.All(float.IsFinite), "mean: three finite numbers are needed");
        Require(!Std.IsDefault && Std.Length == 3 && Std.All(std => float.IsFinite(std) && std > 0), "std: three positive numbers are needed");

        void Require(bool holds, string problem)
        {
            if (!holds) throw new ShiftAddVitException($"{source}: pre-processing: {problem}");
        }
    }

    internal static ShiftAddVitException Unknown(string source) =>
        new($"{source}: nothing says, in a form that is supported (short side resized by bicubic, centre crop, mean and std), how its images are to be"
            + " prepared; name its architecture (--arch) or give --mean and --std");

    /// <inheritdoc/>
    public bool Equals(Preprocessing? other) =>
        other is not null && Resize == other.Resize && Crop == other.Crop
        && Mean.AsSpan().SequenceEqual(other.Mean.AsSpan()) && Std.AsSpan().SequenceEqual(other.Std.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Resize, Crop, Mean[0], Std[0]);
}
