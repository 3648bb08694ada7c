using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;

namespace ShiftAddVit.Cli.Options;

/// <summary>The options that say what a dense checkpoint does not: a packed file knows all of it itself.</summary>
sealed class ModelOptions
{
    readonly Option<string?> _arch = new("--arch")
    {
        Description = "Architecture of a checkpoint by its timm name, e.g. deit_tiny_patch16_224; settles heads and pre-processing",
        HelpName = "NAME",
    };
    readonly Option<int?> _heads = CommonOptions.Positive("--heads", "Attention heads of a checkpoint, where its width does not tell", "H");
    readonly Option<ImmutableArray<float>?> _mean =
        Triple("--mean", "Means of the pre-processing, each from 0 to 1", "three numbers from 0 to 1", value => value is >= 0 and <= 1);
    readonly Option<ImmutableArray<float>?> _std = Triple(
        "--std", "Standard deviations of the pre-processing, each above 0", "three numbers above 0",
        value => value > 0 && float.IsFinite(value));
    readonly Option<int?> _crop =
        CommonOptions.Positive("--crop", "Image size to run a checkpoint at, a multiple of the patch size; positions are resampled", "N");
    readonly Option<string> _classNames = CommonOptions.File("--class-names", "Text file with one class name a line", "FILE");
    readonly Option<ResizeChoice> _resize = new("--resize")
    {
        Description = "Short side that images are resized to, or none to only crop images prepared already",
        HelpName = "N|none",
        CustomParser = result => ResizeChoice.Parse(result.Tokens[0].Value, result.AddError),
    };

    Option[] Checkpoint => [_arch, _heads, _mean, _std, _crop, _classNames];

    public ModelOptions() => _arch.Validators.Add(result =>
    {
        if (result.Tokens.Count > 0 && KnownArchitecture.Find(result.Tokens[0].Value) is null)
            result.AddError(
                $"--arch {result.Tokens[0].Value}: known are {string.Join(", ", KnownArchitecture.All.Select(known => known.Name))}");
    });

    /// <summary>Adds the options that concern a checkpoint; with images, also how these are prepared.</summary>
    public ModelOptions AddTo(Command command, bool images)
    {
        foreach (var option in Checkpoint) command.Options.Add(option);
        if (images) command.Options.Add(_resize);
        return this;
    }

    /// <summary>Opens a model at any stage and applies the options to it, which a packed model refuses.</summary>
    public PackedModel Open(ParseResult parsed, string path)
    {
        RequireCheckpoint(parsed, path);
        return OpenEither(parsed, path);
    }

    /// <summary>Refuses options that concern a checkpoint where none of the models is one.</summary>
    public void RequireCheckpoint(ParseResult parsed, params ReadOnlySpan<string> paths)
    {
        if (Checkpoint.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is not { } given) return;
        foreach (var path in paths)
            if (!PackedModel.IsPacked(path)) return;
        throw new UsageException($"{given.Name} is for checkpoints; {paths[0]} is packed and carries its own description");
    }

    /// <summary>Opens one of several models: the options apply if it is a checkpoint.</summary>
    public PackedModel OpenEither(ParseResult parsed, string path)
    {
        if (parsed.GetValue(_mean) is null != parsed.GetValue(_std) is null)
            throw new UsageException("--mean and --std go together: give both or neither");
        return PackedModel.Open(path, new(
            parsed.GetValue(_arch), parsed.GetValue(_heads), parsed.GetValue(_mean), parsed.GetValue(_std), parsed.GetValue(_crop),
            parsed.GetValue(_classNames) is { } names ? ReadNames(names) : null));
    }

    /// <summary>The model's pre-processing, resized as the command line says.</summary>
    public Preprocessing Preprocessing(ParseResult parsed, VitGraph graph) => Resized(parsed, graph.RequirePreprocessing());

    /// <summary>The graph with its pre-processing resized as the command line says.</summary>
    public VitGraph Resized(ParseResult parsed, VitGraph graph) =>
        graph.Preprocessing is { } preprocessing ? graph with { Preprocessing = Resized(parsed, preprocessing) } : graph;

    Preprocessing Resized(ParseResult parsed, Preprocessing preprocessing)
    {
        if (parsed.GetValue(_resize) is not { IsGiven: true, Side: var side }) return preprocessing;
        if (side < preprocessing.Crop)
            throw new ShiftAddVitException($"--resize {side}: is below the crop; {preprocessing.Crop} or more, or none, is allowed");
        return preprocessing with { Resize = side };
    }

    static ImmutableArray<string> ReadNames(string path)
    {
        try
        {
            return [.. File.ReadLines(path).Select(line => line.Trim()).Where(line => line.Length > 0)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ShiftAddVitException($"--class-names {path}: cannot be read: {error.Message}", error);
        }
    }

    static Option<ImmutableArray<float>?> Triple(string name, string description, string needed, Predicate<float> allowed) => new(name)
    {
        Description = description,
        HelpName = "R,G,B",
        CustomParser = result =>
        {
            var parts = result.Tokens[0].Value.Split(',');
            var values = parts.Select(part =>
                float.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : float.NaN).ToArray();
            if (values.Length == 3 && Array.TrueForAll(values, allowed)) return [.. values];
            result.AddError($"{name} {result.Tokens[0].Value}: {needed} separated by commas are needed");
            return null;
        },
    };
}

/// <summary>What <c>--resize</c> said: nothing, a side, or none (no side).</summary>
readonly record struct ResizeChoice(bool IsGiven, int? Side)
{
    /// <summary>The largest that a packed model may carry.</summary>
    const int MaxSide = 16384;

    public static ResizeChoice Parse(string text, Action<string> addError)
    {
        if (text == "none") return new(true, null);
        var isNumber = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var side);
        if (isNumber && side is > 0 and <= MaxSide) return new(true, side);
        addError($"--resize {text}: 1 to {MaxSide} pixels, or none, is needed");
        return default;
    }
}
