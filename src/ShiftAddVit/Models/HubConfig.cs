using System.Collections.Immutable;
using System.Text.Json;

namespace ShiftAddVit.Models;

/// <summary>
/// What <c>config.json</c> and <c>preprocessor_config.json</c> say about the checkpoint beside them, in the layouts that timm and
/// Hugging Face publish. They are read only beside files with a hub's fixed names (<see cref="AppliesTo"/>), so that a configuration
/// of something else in the same folder changes nothing. What is absent is null.
/// </summary>
/// <param name="Architecture">timm's name of the model.</param>
/// <param name="Heads">H, attention heads.</param>
/// <param name="LayerNormEpsilon">Added to the variance in every layer norm.</param>
/// <param name="Mean">Means of the pre-processing.</param>
/// <param name="Std">Standard deviations of the pre-processing.</param>
/// <param name="Resize">Length of the short side, in pixels.</param>
/// <param name="Crop">Side of the crop, in pixels.</param>
/// <param name="ClassNames">A name for each class, or empty.</param>
/// <param name="OtherPreparation">Whether the files ask for a preparation of images that this library does not offer.</param>
public sealed record HubConfig(
    string? Architecture = null, int? Heads = null, float? LayerNormEpsilon = null, ImmutableArray<float>? Mean = null,
    ImmutableArray<float>? Std = null, int? Resize = null, int? Crop = null, ImmutableArray<string> ClassNames = default,
    bool OtherPreparation = false)
{
    const long MaxFileLength = 16 << 20;

    /// <summary>The code of bicubic interpolation in Hugging Face's files, which is Pillow's.</summary>
    const int PillowBicubic = 3;

    const double LevelScale = 1 / 255.0;

    /// <summary>Whether the checkpoint has a name that hubs give: <c>model.safetensors</c> or <c>pytorch_model.bin</c>.</summary>
    public static bool AppliesTo(string checkpointPath) => Path.GetFileName(checkpointPath) is "model.safetensors" or "pytorch_model.bin";

    /// <summary>Reads the files beside a checkpoint; what is not there stays null.</summary>
    /// <exception cref="ShiftAddVitException">A file is no JSON object or a value in it has the wrong type.</exception>
    public static HubConfig ReadBeside(string checkpointPath)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(checkpointPath))!;
        var config = Read(Path.Combine(folder, "config.json"), new(), FromModel);
        return Read(Path.Combine(folder, "preprocessor_config.json"), config, FromPreprocessor);
    }

    static HubConfig Read(string path, HubConfig before, Func<HubConfig, JsonElement, HubConfig> take)
    {
        if (!File.Exists(path)) return before;
        try
        {
            if (new FileInfo(path).Length > MaxFileLength) throw new ShiftAddVitException($"{path}: larger than {MaxFileLength} bytes");
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new() { MaxDepth = 32 });
            return take(before, document.RootElement);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw new ShiftAddVitException($"{path}: not a model configuration: {error.Message.ReplaceLineEndings(" ")}", error);
        }
    }

    /// <summary>
    /// timm: architecture and pretrained_cfg, whose members older files have at the top. Hugging Face: num_attention_heads, layer_norm_eps
    /// and id2label.
    /// </summary>
    static HubConfig FromModel(HubConfig before, JsonElement root)
    {
        var timm = Find(root, "pretrained_cfg") ?? root;
        var crop = Find(timm, "input_size")?.EnumerateArray().Last().GetInt32();
        return before with
        {
            Architecture = Find(root, "architecture")?.GetString(),
            Heads = Find(root, "num_attention_heads")?.GetInt32(),
            LayerNormEpsilon = Find(root, "layer_norm_eps")?.GetSingle(),
            Mean = Floats(timm, "mean"),
            Std = Floats(timm, "std"),
            Crop = crop,
            Resize = crop is { } side && Find(timm, "crop_pct") is { } fraction ? (int)Math.Floor(side / fraction.GetDouble()) : null,
            ClassNames = Find(root, "id2label") is { } labels ? Labels(labels) : [],
            OtherPreparation = !Is(timm, "interpolation", "bicubic") || !Is(timm, "crop_mode", "center"),
        };
    }

    /// <summary>
    /// Hugging Face: image_mean, image_std, size and crop_size. Other interpolations (bilinear where the file does not say), images squashed to
    /// a square without a crop, and steps left out are another preparation than this library's.
    /// </summary>
    static HubConfig FromPreprocessor(HubConfig before, JsonElement root)
    {
        var resize = Find(root, "size") is { } size ? Side(size) : null;
        var crops = Find(root, "do_center_crop")?.GetBoolean() ?? false;
        return before with
        {
            Mean = Floats(root, "image_mean") ?? before.Mean,
            Std = Floats(root, "image_std") ?? before.Std,
            Resize = resize ?? before.Resize,
            Crop = (crops && Find(root, "crop_size") is { } crop ? Side(crop) : null) ?? before.Crop,
            OtherPreparation = !crops || Find(root, "resample")?.GetInt32() != PillowBicubic
                || IsOff(root, "do_resize") || IsOff(root, "do_rescale") || IsOff(root, "do_normalize")
                || (Find(root, "rescale_factor") is { } factor && Math.Abs(factor.GetDouble() - LevelScale) > 1e-6),
        };
    }

    static bool Is(JsonElement element, string name, string value) => Find(element, name) is not { } found || found.GetString() == value;

    static bool IsOff(JsonElement element, string name) => Find(element, name) is { } found && !found.GetBoolean();

    static JsonElement? Find(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    static int? Side(JsonElement size) => size.ValueKind == JsonValueKind.Number
        ? size.GetInt32()
        : (Find(size, "shortest_edge") ?? Find(size, "height"))?.GetInt32();

    static ImmutableArray<float>? Floats(JsonElement element, string name) =>
        Find(element, name) is { } values ? [.. values.EnumerateArray().Select(value => value.GetSingle())] : null;

    static ImmutableArray<string> Labels(JsonElement labels)
    {
        var byIndex = new Dictionary<string, string>();
        foreach (var label in labels.EnumerateObject()) byIndex[label.Name] = label.Value.GetString() ?? "";
        return [.. Enumerable.Range(0, byIndex.Count).Select(i =>
            byIndex.TryGetValue($"{i}", out var name) ? name : throw new FormatException($"id2label lacks class {i}"))];
    }
}
