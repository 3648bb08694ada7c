using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Packing;
using ShiftAddVit.Reports;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd inspect</c>: a model as a tree of parts.</summary>
static class InspectVerb
{
    public static Command Create(CommandConsole console)
    {
        var file = CommonOptions.File("FILE", "Checkpoint (.safetensors, .pth) or packed model (.savit)");
        var json = CommonOptions.Json();
        var command = new ExampleCommand(
            "inspect", "Print a model as a tree with shapes, formats and sizes", "shiftadd inspect deit_tiny.savit") { file, json };
        var options = new ModelOptions().AddTo(command, images: false);
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(file);
            var result = Describe(path, options.Open(parsed, path));
            if (parsed.GetValue(json)) console.WriteJson(result, ResultJson.Default.InspectResult);
            else Print(console, result);
            return CommandLine.Success;
        });
        return command;
    }

    static InspectResult Describe(string path, PackedModel model)
    {
        var (graph, a) = (model.Graph, model.Graph.Architecture);
        var preprocessing = graph.Preprocessing is { } p ? new PreprocessingResult(p.Resize, p.Crop, [.. p.Mean], [.. p.Std]) : null;
        return new(
            Path.GetFileName(path), PackedModel.IsPacked(path) ? "packed" : "checkpoint", new FileInfo(path).Length, model.Sha256,
            new(a.ImageSize, a.PatchSize, a.Tokens, a.Width, a.Depth, a.Heads, a.MlpWidth, a.Classes, a.QkvBias, a.DistillationToken),
            preprocessing, !graph.ClassNames.IsEmpty, graph.Provenance.Source, [.. graph.Provenance.Steps], ModelTree.Of(model));
    }

    static void Print(CommandConsole console, InspectResult result)
    {
        console.WriteLine($"{result.File}: {result.Stage}, {Bytes(result.Bytes)}, contents {result.Sha256[..16]}");
        console.WriteLine(
            CommandConsole.Printable($"made from {result.Source}{string.Concat(result.Steps.Select(step => $" -> {step}"))}"));
        const string Unknown = "pre-processing unknown (--arch, or --mean and --std)";
        console.WriteLine($"images: {(result.Preprocessing is { } p ? Describe(p) : Unknown)}");
        console.WriteLine(result.ClassNames ? "class names: yes" : "class names: none");
        var tree = new Tree(Markup.Escape(result.Model.Name)).Guide(TreeGuide.Line);
        foreach (var child in result.Model.Children) Add(tree, child);
        console.Write(tree);
    }

    static string Describe(PreprocessingResult p)
    {
        var resize = p.Resize is { } side ? $"short side {side}, " : "";
        return $"{resize}crop {p.Crop}, mean {string.Join(' ', p.Mean)}, std {string.Join(' ', p.Std)}";
    }

    static void Add(IHasTreeNodes parent, ModelNode node)
    {
        var text = node.Shape is null
            ? $"[bold]{Markup.Escape(node.Name)}[/]  {Bytes(node.Bytes)}"
            : $"{Markup.Escape(node.Name),-16} {node.Shape,-10} [green]{node.Format,-4}[/] {Bytes(node.Bytes)}";
        var added = parent.AddNode(text);
        foreach (var child in node.Children) Add(added, child);
    }

    static string Bytes(long bytes) => bytes < 100_000 ? $"{bytes / 1e3:0.0} kB" : $"{bytes / 1e6:0.00} MB";
}
