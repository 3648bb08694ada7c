using System.CommandLine;
using System.Text.Json;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Imaging;
using ShiftAddVit.Inference;
using ShiftAddVit.Reports;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd compare</c>: two stages of one model, layer by layer.</summary>
static class CompareVerb
{
    public static Command Create(CommandConsole console)
    {
        var first = CommonOptions.File("A", "Model to measure against");
        var second = CommonOptions.File("B", "Model to measure");
        var image = CommonOptions.File("--image", "Image to run both on", "FILE", required: true);
        var json = CommonOptions.Json();
        var command = new ExampleCommand(
            "compare", "Show layer by layer where and by how much two stages of one model differ",
            "shiftadd compare deit_tiny_patch16_224.safetensors deit_tiny.savit --image cat.jpg") { first, second, image, json };
        var options = new ModelOptions().AddTo(command, images: true);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var (a, b) = (parsed.GetRequiredValue(first), parsed.GetRequiredValue(second));
            options.RequireCheckpoint(parsed, a, b);
            var graph = options.OpenEither(parsed, a).Graph;
            var preprocessor = new ImagePreprocessor(options.Preprocessing(parsed, a, graph));
            var input = new float[preprocessor.Length];
            preprocessor.Load(parsed.GetRequiredValue(image), input);
            cancellation.ThrowIfCancellationRequested();
            using var modelA = console.Compile(graph);
            using var modelB = console.Compile(options.OpenEither(parsed, b).Graph);
            cancellation.ThrowIfCancellationRequested();
            var result = new CompareResult(
                Path.GetFileName(a), Path.GetFileName(b),
                [.. ModelComparison.Run(modelA, modelB, input).Select(Describe)],
                Top(modelA, input), Top(modelB, input));
            cancellation.ThrowIfCancellationRequested();
            if (parsed.GetValue(json)) console.WriteJson(result, ResultJson.Default.CompareResult);
            else Print(console, result);
            return CommandLine.Success;
        }, cancellation));
        return command;
    }

    static DifferenceResult Describe(ActivationDifference d) =>
        new(JsonNamingPolicy.SnakeCaseLower.ConvertName($"{d.Kind}"), d.Name, d.RelativeError, d.MaxDifference, d.Cosine);

    static TopResult[] Top(CompiledModel model, float[] input)
    {
        using var session = model.CreateSession();
        return RunVerb.Describe(Classification.Top(session.Run(input, 1), 5, model.ClassNames));
    }

    static void Print(CommandConsole console, CompareResult result)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("activation", "layer");
        foreach (var name in (string[])["relative error", "max difference", "cosine"])
            table.AddColumn(name, column => column.RightAligned());
        foreach (var d in result.Differences)
            table.AddRow(
                d.Kind.Replace('_', ' '), Markup.Escape(d.Layer), $"{d.RelativeError:0.00000}", $"{d.MaxDifference:0.0000}",
                $"{d.Cosine:0.000000}");
        console.Write(table);
        console.WriteLine($"{result.First}: {Line(result.FirstTop)}");
        console.WriteLine($"{result.Second}: {Line(result.SecondTop)}");
    }

    static string Line(TopResult[] top) =>
        string.Join(", ", top.Select(t => $"{t.ClassName} {t.Probability:P1}"));
}
