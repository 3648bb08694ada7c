using System.Collections.Immutable;
using System.Text.RegularExpressions;

namespace ShiftAddVit.Models;

/// <summary>
/// The published models of the ViT/DeiT family by their timm names. A name settles what a checkpoint's tensors cannot tell: the
/// number of heads and the pre-processing.
/// </summary>
/// <param name="Name">The timm name, e.g. <c>deit_tiny_patch16_224</c>.</param>
/// <param name="Width">C, channels of a token.</param>
/// <param name="PatchSize">Side of a patch, in pixels.</param>
/// <param name="Heads">H, attention heads.</param>
/// <param name="DistillationToken">Whether the model has a distillation token.</param>
/// <param name="Preprocessing">The evaluation pre-processing that it was published with.</param>
public sealed partial record KnownArchitecture(
    string Name, int Width, int PatchSize, int Heads, bool DistillationToken, Preprocessing Preprocessing)
{
    /// <summary>All known names: <c>deit_{tiny,small,base}[_distilled]_patch16_{224,384}</c>, <c>vit_{tiny,small,base}_patch{8,16,32}_{224,384}</c>.</summary>
    public static ImmutableArray<KnownArchitecture> All { get; } = [.. Enumerate()];

    /// <summary>The architecture of exactly this name, or null.</summary>
    public static KnownArchitecture? Find(string name) => All.FirstOrDefault(known => known.Name == name);

    /// <summary>
    /// The architecture whose name a file name ends with, hyphens read as underscores; what may follow is the hash of PyTorch's hub
    /// (<c>deit_tiny_patch16_224-a1311bcf.pth</c>), a tag of a release with the same pre-processing (<c>.augreg_in21k_ft_in1k</c>) and an
    /// extension. Null when there is none: <c>vit_base_patch16_224.dino</c> and <c>vit_base_patch16_224_miil</c> are other recipes.
    /// </summary>
    public static KnownArchitecture? FindIn(string fileName)
    {
        ArgumentNullException.ThrowIfNull(fileName);
        var name = Suffix.Replace(fileName, "").Replace('-', '_');
        return All.FirstOrDefault(known => name.EndsWith(known.Name, StringComparison.OrdinalIgnoreCase));
    }

    [GeneratedRegex(@"(-[0-9a-f]{8})?(\.(fb|augreg|orig|sam)[^.]*)?(\.[a-z]+)?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    static partial Regex Suffix { get; }

    static IEnumerable<KnownArchitecture> Enumerate()
    {
        foreach (var (size, width, heads) in new[] { ("tiny", 192, 3), ("small", 384, 6), ("base", 768, 12) })
            foreach (var side in new[] { 224, 384 })
            {
                yield return new($"deit_{size}_patch16_{side}", width, 16, heads, false, DeitPreprocessing(side));
                yield return new($"deit_{size}_distilled_patch16_{side}", width, 16, heads, true, DeitPreprocessing(side));
                foreach (var patch in new[] { 8, 16, 32 })
                    yield return new($"vit_{size}_patch{patch}_{side}", width, patch, heads, false, VitPreprocessing(side));
            }
    }

    /// <summary>DeiT: crop 7/8 of the resized image at 224, all of it at 384; ImageNet's statistics.</summary>
    static Preprocessing DeitPreprocessing(int side) =>
        new(side == 224 ? 256 : side, side, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd);

    /// <summary>ViT as trained by Google: crop 0.9 of the resized image at 224, all of it at 384; levels mapped to -1..1.</summary>
    static Preprocessing VitPreprocessing(int side) => new(side == 224 ? 248 : side, side, Preprocessing.Half, Preprocessing.Half);
}
