using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>
/// The ViT/DeiT family (Dosovitskiy et al. 2021; Touvron et al. 2021): patch embedding, class token and possibly distillation token,
/// learned positions, pre-norm blocks of attention and MLP, whose forms say how they differ from softmax attention and single layers. The
/// one description of the family: the inference graph, the files and the training modules follow from it.
/// </summary>
/// <param name="ImageSize">Side of the square input, in pixels; a multiple of <paramref name="PatchSize"/>.</param>
/// <param name="PatchSize">Side of a patch, in pixels.</param>
/// <param name="Width">C, channels of a token.</param>
/// <param name="Depth">Number of blocks.</param>
/// <param name="Heads">H, attention heads; divides <paramref name="Width"/>.</param>
/// <param name="MlpWidth">Hidden channels of the MLP.</param>
/// <param name="Classes">Number of classes.</param>
/// <param name="QkvBias">Whether the query/key/value projection has a bias.</param>
/// <param name="DistillationToken">Whether there is a second token with a head of its own, averaged with the first (DeiT, section 3).</param>
/// <param name="LayerNormEpsilon">Added to the variance in every layer norm.</param>
public sealed record VitArchitecture(
    int ImageSize, int PatchSize, int Width, int Depth, int Heads, int MlpWidth, int Classes,
    bool QkvBias = true, bool DistillationToken = false, float LayerNormEpsilon = VitArchitecture.TimmEpsilon)
{
    /// <summary>The layer norm epsilon of timm and of the DeiT release.</summary>
    public const float TimmEpsilon = 1e-6f;

    /// <summary>The layer norm epsilon of Hugging Face's ViT and DeiT.</summary>
    public const float HuggingFaceEpsilon = 1e-12f;

    /// <summary>Colour channels of the input.</summary>
    public const int Channels = 3;

    /// <summary>How each block differs from that of a pre-trained model.</summary>
    public BlockForms Forms { get; init; } = BlockForms.Plain;

    /// <summary>D, channels of one head.</summary>
    public int HeadSize => Width / Heads;

    /// <summary>Patches along one side.</summary>
    public int GridSide => ImageSize / PatchSize;

    /// <summary>Number of patches.</summary>
    public int Patches => GridSide * GridSide;

    /// <summary>Tokens that are no patches: class token and, if there is one, distillation token.</summary>
    public int PrefixTokens => DistillationToken ? 2 : 1;

    /// <summary>N, all tokens.</summary>
    public int Tokens => Patches + PrefixTokens;

    /// <summary>Inputs of the patch projection: 3 * patch * patch, channel outermost.</summary>
    public int PatchInputs => Channels * PatchSize * PatchSize;

    /// <summary>Every parameter of the model under its canonical (timm) name, in the order of the forward pass.</summary>
    public IEnumerable<(string Name, Shape Shape)> Parameters()
    {
        yield return ("patch_embed.proj.weight", new(Width, Channels, PatchSize, PatchSize));
        yield return ("patch_embed.proj.bias", new(Width));
        yield return ("cls_token", new(1, 1, Width));
        if (DistillationToken) yield return ("dist_token", new(1, 1, Width));
        yield return ("pos_embed", new(1, Tokens, Width));
        for (var i = 0; i < Depth; i++)
            foreach (var (name, shape) in new BlockParameters(this, Forms[i]).All()) yield return ($"blocks.{i}.{name}", shape);
        yield return ("norm.weight", new(Width));
        yield return ("norm.bias", new(Width));
        yield return ("head.weight", new(Classes, Width));
        yield return ("head.bias", new(Classes));
        if (!DistillationToken) yield break;
        yield return ("head_dist.weight", new(Classes, Width));
        yield return ("head_dist.bias", new(Classes));
    }

    /// <summary>Checks that the numbers fit together and stay within what a file may ask for.</summary>
    /// <param name="source">What to name in the error: a file or an option.</param>
    /// <exception cref="ShiftAddVitException">They do not; the message says which and what is allowed.</exception>
    public void Validate(string source)
    {
        Require(ImageSize is > 0 and <= Preprocessing.MaxCrop, $"image size {ImageSize}; allowed: 1..{Preprocessing.MaxCrop}");
        Require(PatchSize is > 0 and <= 256, $"patch size {PatchSize}; allowed: 1..256");
        Require(ImageSize % PatchSize == 0, $"image size {ImageSize} is not a multiple of the patch size {PatchSize}");
        Require(Width is > 0 and <= 8192, $"width {Width}; allowed: 1..8192");
        Require(Depth is > 0 and <= 256, $"depth {Depth}; allowed: 1..256");
        Require(Heads > 0 && Width % Heads == 0, $"{Heads} heads do not divide the width {Width}");
        Require(MlpWidth is > 0 and <= 65536, $"MLP width {MlpWidth}; allowed: 1..65536");
        Require(Classes is > 0 and <= 1_000_000, $"{Classes} classes; allowed: 1..1000000");
        Require((long)Classes * Width <= int.MaxValue, $"{Classes} classes of width {Width}; allowed: at most 2^31 - 1 weights");
        Require(LayerNormEpsilon is > 0 and < 1, $"layer norm epsilon {LayerNormEpsilon}; allowed: between 0 and 1");
        Require(Tokens <= 65536, $"{Tokens} tokens; allowed: at most 65536");
        Require(Forms.IsPlain || Forms.Count == Depth, $"forms of {Forms.Count} blocks in a model of {Depth}");
        for (var i = 0; i < Forms.Count; i++) Forms[i].Validate($"{source}: blocks.{i}", HeadSize);

        void Require(bool holds, string problem)
        {
            if (!holds) throw new ShiftAddVitException($"{source}: {problem}");
        }
    }
}
