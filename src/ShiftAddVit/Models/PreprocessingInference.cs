namespace ShiftAddVit.Models;

/// <summary>
/// Decides which pre-processing a checkpoint expects. Checkpoints with equal tensors differ here, so nothing is assumed: what the
/// caller says comes first, then a known architecture that was named, the hub's configuration, and a known name in the file's name.
/// </summary>
static class PreprocessingInference
{
    /// <summary>Short side over crop where only mean and standard deviation are known: 256 / 224, the usual evaluation recipe.</summary>
    const double UsualResizeRatio = 256.0 / 224;

    /// <summary>The pre-processing for an image size, or null when nothing says which.</summary>
    /// <param name="source">The file, for errors.</param>
    /// <param name="imageSize">Side of the model's input, in pixels.</param>
    /// <param name="options">What the caller said.</param>
    /// <param name="named">The architecture that the caller named.</param>
    /// <param name="config">The hub's configuration.</param>
    /// <param name="fileNamed">The architecture that the file is named after.</param>
    public static Preprocessing? Infer(
        string source, int imageSize, LoadOptions options, KnownArchitecture? named, HubConfig config, KnownArchitecture? fileNamed)
    {
        if (options.Mean is null != options.Std is null) throw new ShiftAddVitException("--mean and --std go together: give both or neither");
        var recipe = named?.Preprocessing ?? (config.OtherPreparation ? null : FromHub(config) ?? fileNamed?.Preprocessing);
        if (options is { Mean: { } mean, Std: { } std }) recipe = (recipe ?? Usual(imageSize)) with { Mean = mean, Std = std };
        var preprocessing = recipe is null ? null : Scale(recipe, imageSize);
        preprocessing?.Validate(source, imageSize);
        return preprocessing;
    }

    static Preprocessing? FromHub(HubConfig config) => config switch
    {
        { Mean: { } mean, Std: { } std, Crop: { } crop } => new(config.Resize ?? crop, crop, mean, std),
        { Architecture: { } name } => KnownArchitecture.Find(name)?.Preprocessing,
        _ => null,
    };

    static Preprocessing Usual(int imageSize) =>
        new((int)Math.Round(imageSize * UsualResizeRatio), imageSize, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd);

    /// <summary>The same recipe at another image size: the short side keeps its ratio to the crop.</summary>
    static Preprocessing Scale(Preprocessing recipe, int imageSize) => recipe.Crop == imageSize
        ? recipe
        : recipe with { Crop = imageSize, Resize = recipe.Resize is { } resize ? (int)Math.Round((double)imageSize * resize / recipe.Crop) : null };
}
