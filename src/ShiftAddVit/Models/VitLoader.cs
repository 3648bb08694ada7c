using System.Security.Cryptography;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Checkpoints.Naming;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>Checkpoint to model: names, architecture, pre-processing, and positions moved to the image size asked for.</summary>
public static class VitLoader
{
    /// <summary>Loads a dense model from a safetensors or PyTorch file with the names of timm, Hugging Face or the DeiT release.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What the caller knows beyond the file.</param>
    /// <exception cref="ShiftAddVitException">The file or an option cannot be used; nothing is left to guess.</exception>
    public static VitGraph Load(string path, LoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        options ??= new();
        var named = Named(options.Architecture);
        using var checkpoint = Checkpoint.Open(path);
        var weights = new NamedWeights(checkpoint);
        var config = HubConfig.AppliesTo(path) ? HubConfig.ReadBeside(path) : new();
        var fileNamed = NamedAfter(path, weights);

        var trained = Architecture(path, weights, options, named, config, fileNamed);
        RequireMatch(trained, named);
        var architecture = AtImageSize(trained, options.Crop);
        var preprocessing = PreprocessingInference.Infer(path, architecture.ImageSize, options, named, config, fileNamed);
        var classNames = options.ClassNames ?? (config.ClassNames.IsDefault ? [] : config.ClassNames);
        if (classNames.Length != 0 && classNames.Length != architecture.Classes)
            throw new ShiftAddVitException($"{path}: {classNames.Length} class names for {architecture.Classes} classes; give one name for each class");

        var tensors = weights.Read([.. trained.Parameters()]).ToDictionary();
        tensors["pos_embed"] = Positions(tensors["pos_embed"], architecture);
        return VitGraphBuilder.FromTensors(architecture, tensors, preprocessing, classNames, new(Path.GetFileName(path), Hash(path), []));
    }

    static KnownArchitecture? Named(string? name) => name is null
        ? null
        : KnownArchitecture.Find(name) ?? throw new ShiftAddVitException(
            $"--arch {name}: not a known architecture; known are {string.Join(", ", KnownArchitecture.All.Select(known => known.Name))}");

    /// <summary>The architecture that the file is named after; null when its tensors are of another width, as then the name is chance.</summary>
    static KnownArchitecture? NamedAfter(string path, NamedWeights weights)
    {
        var known = KnownArchitecture.FindIn(Path.GetFileName(path));
        return weights.Shapes.TryGetValue("cls_token", out var token) && token.ElementCount == known?.Width ? known : null;
    }

    static VitArchitecture Architecture(
        string path, NamedWeights weights, LoadOptions options, KnownArchitecture? named, HubConfig config, KnownArchitecture? fileNamed)
    {
        var heads = options.Heads ?? named?.Heads ?? config.Heads ?? fileNamed?.Heads;
        var epsilon = config.LayerNormEpsilon
            ?? (weights.Map.Source == HuggingFaceNames.Source ? VitArchitecture.HuggingFaceEpsilon : VitArchitecture.TimmEpsilon);
        return new ArchitectureInference(path, name => weights.Shapes.TryGetValue(name, out var shape) ? shape : null).Infer(heads, epsilon);
    }

    static void RequireMatch(VitArchitecture trained, KnownArchitecture? named)
    {
        if (named is null) return;
        if (named.Width != trained.Width || named.PatchSize != trained.PatchSize || named.DistillationToken != trained.DistillationToken)
            throw new ShiftAddVitException(
                $"--arch {named.Name}: width {named.Width}, patch {named.PatchSize}, distillation token {named.DistillationToken}, where the file has "
                + $"width {trained.Width}, patch {trained.PatchSize}, distillation token {trained.DistillationToken}");
    }

    static VitArchitecture AtImageSize(VitArchitecture trained, int? imageSize)
    {
        if (imageSize is not { } side || side == trained.ImageSize) return trained;
        var architecture = trained with { ImageSize = side };
        architecture.Validate("--crop");
        return architecture;
    }

    static Tensor Positions(Tensor positions, VitArchitecture architecture) => PositionEmbedding.Resample(
        positions.Reshape(new(positions.Shape[1], positions.Shape[2])), architecture.PrefixTokens, architecture.GridSide);

    static string Hash(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return Convert.ToHexStringLower(SHA256.HashData(stream));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ShiftAddVitException($"{path}: cannot be read: {ErrorText.FirstLine(error.Message)}", error);
        }
    }
}
