using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Imaging;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd reparameterize</c>: checkpoint in, packed model out.</summary>
sealed class ReparameterizeVerb
{
    const int DefaultCalibrationImages = 128;

    /// <summary>What the hub puts beside a checkpoint.</summary>
    static readonly string[] Configurations = ["config.json", "preprocessor_config.json"];

    static readonly Dictionary<string, WeightFormat> Formats = new()
    {
        ["dense"] = WeightFormat.F32, ["int8"] = WeightFormat.S8, ["shift"] = WeightFormat.P4, ["shift2"] = WeightFormat.P4P4,
        ["deepshift"] = WeightFormat.P5,
    };

    readonly CommandConsole _console;
    readonly ModelOptions _model = new();
    readonly Argument<string> _input = CommonOptions.File("IN", "Dense checkpoint (.safetensors, .pth) or dense packed model");
    readonly Option<string> _output =
        new("--output", "-o") { Description = "Packed model to write", HelpName = "OUT.savit", Required = true };
    readonly Option<string> _linear = CommonOptions.Choice(
        "--linear",
        "Linear layers of the blocks: float, 8-bit integers, one shift (4 bits), two shifts and an add (8 bits), or one shift as in the paper (5 bits)",
        "shift2", [.. Formats.Keys]);
    readonly Option<string> _method = CommonOptions.Choice(
        "--method", "Rounding: to nearest, or with second-order error feedback from sample images", "nearest", "nearest", "gptq");
    readonly Option<string> _calibrate = CommonOptions.File("--calibrate", "Folder of sample images for --method gptq", "DIR");
    readonly Option<int?> _count =
        CommonOptions.Positive("--calibrate-count", $"How many of them to use, evenly spaced (default: {DefaultCalibrationImages})", "N");
    readonly Option<int?> _threads = CommonOptions.Threads();
    readonly Option<bool> _json = CommonOptions.Json();

    ReparameterizeVerb(CommandConsole console) => _console = console;

    public static Command Create(CommandConsole console)
    {
        var verb = new ReparameterizeVerb(console);
        verb._output.Validators.Add(result => CommonOptions.RequireNamed(result, "--output"));
        var command = new ExampleCommand(
            "reparameterize", "Turn a checkpoint into a packed model of shifts and adds",
            "shiftadd reparameterize deit_tiny_patch16_224.safetensors -o deit_tiny.savit --linear shift2")
        {
            verb._input, verb._output, verb._linear, verb._method, verb._calibrate, verb._count, verb._threads, verb._json,
        };
        verb._model.AddTo(command, images: true);
        command.SetAction(verb.Run);
        return command;
    }

    async Task<int> Run(ParseResult parsed, CancellationToken cancellation)
    {
        RequireConsistent(parsed);
        // Not before the first await is Ctrl-C heard: what leaves a file for a moment comes after it.
        var result = await Task.Run(() => Reparameterize(parsed, cancellation), CancellationToken.None);
        if (parsed.GetValue(_json)) _console.WriteJson(result, ResultJson.Default.ReparameterizeResult);
        else Print(result);
        return CommandLine.Success;
    }

    void RequireConsistent(ParseResult parsed)
    {
        var (gptq, folder) = (parsed.GetValue(_method) == "gptq", parsed.GetValue(_calibrate));
        if (gptq && folder is null) throw new UsageException("--method gptq needs --calibrate DIR, a folder of sample images");
        if (!gptq && (folder is not null || parsed.GetValue(_count) is not null))
            throw new UsageException("--calibrate and --calibrate-count are for --method gptq");
        if (gptq && parsed.GetValue(_linear) == "dense")
            throw new UsageException("--method gptq rounds weights, and --linear dense has none to round");
    }

    /// <summary>Refuses an output that would replace what the command reads.</summary>
    void RequireOtherOutput(ParseResult parsed, string output, ImmutableArray<string> images)
    {
        // What is not there cannot be an input; so a long list of images is looked through only where it matters.
        if (!File.Exists(output)) return;
        var source = parsed.GetRequiredValue(_input);
        Require("the input", [source]);
        Require("the input's configuration", Configurations.Select(name => Path.Combine(source, "..", name)));
        if (_model.ClassNames(parsed) is { } names) Require("the file of --class-names", [names]);
        if (parsed.GetValue(_calibrate) is { } folder) Require("read by --calibrate", [Path.Combine(folder, "labels.csv"), .. images]);

        void Require(string input, IEnumerable<string> paths)
        {
            if (SameFile.IsAny(output, paths)) throw new ShiftAddVitException($"{output}: is {input} too; choose another output");
        }
    }

    ReparameterizeResult Reparameterize(ParseResult parsed, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var output = parsed.GetRequiredValue(_output);
        var images = parsed.GetValue(_calibrate) is { } folder ? ImageFolder.ListImages(folder) : [];
        RequireOtherOutput(parsed, output, images);
        _console.WriteFile(() => AtomicFile.RequireWritable(output), cancellation);
        var graph = Open(parsed);
        var format = Formats[parsed.GetRequiredValue(_linear)];
        var moments = parsed.GetValue(_method) == "gptq" ? Moments(parsed, graph, images, cancellation) : null;
        using var progress = new ProgressLine(_console, "layers", graph.Linears().Count(LinearPass.Converts));
        var linear = LinearPass.Apply(
            graph, format, moments, CommonOptions.ThreadsOrDefault(parsed.GetValue(_threads)),
            progress.Of<PassProgress>(step => step.Done), cancellation);
        var rest = format is WeightFormat.P4 or WeightFormat.P4P4 or WeightFormat.P5 ? HalfPrecisionPass.Apply(linear.Graph) : new(linear.Graph, []);
        var packed = PackedModel.Pack(rest.Graph);
        _console.WriteFile(() => packed.Save(output), cancellation);
        return new(
            output, packed.ByteLength, packed.Sha256, Stopwatch.GetElapsedTime(started).TotalSeconds,
            [.. linear.Changes.Concat(rest.Changes)
                .Select(c => new ChangeResult(c.Layer, c.From, c.To, c.RelativeError, c.BitsPerWeight))]);
    }

    /// <summary>The model with its pre-processing: a packed model that lacks it could neither be run nor mended.</summary>
    VitGraph Open(ParseResult parsed)
    {
        var input = parsed.GetRequiredValue(_input);
        var graph = _model.Open(parsed, input).Graph;
        return graph with { Preprocessing = _model.Preprocessing(parsed, input, graph) };
    }

    IReadOnlyDictionary<string, SecondMoment> Moments(
        ParseResult parsed, VitGraph graph, ImmutableArray<string> all, CancellationToken cancellation)
    {
        var images = ImageFolder.TakeEvenly(all, Math.Min(all.Length, parsed.GetValue(_count) ?? DefaultCalibrationImages));
        using var progress = new ProgressLine(_console, "calibration images", images.Length);
        _console.WarnOfKernels();
        return Calibration.SecondMoments(
            graph, images, graph.RequirePreprocessing(), CommonOptions.ThreadsOrDefault(parsed.GetValue(_threads)), progress, cancellation);
    }

    void Print(ReparameterizeResult result)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("layer", "from", "to");
        table.AddColumn("relative error", column => column.RightAligned()).AddColumn("bits", column => column.RightAligned());
        foreach (var change in result.Changes)
            table.AddRow(
                Markup.Escape(change.Layer), change.From, $"[green]{change.To}[/]", $"{change.RelativeError:0.0E+0}",
                $"{change.BitsPerWeight:0.00}");
        if (result.Changes.Length > 0) _console.Write(table);
        _console.WriteLine($"{result.Output}: {result.Bytes / 1e6:0.00} MB, {result.Seconds:0.0} s, contents {result.Sha256[..16]}");
    }
}
