using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Imaging;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd eval</c>: accuracy on labelled images.</summary>
static class EvalVerb
{
    public static Command Create(CommandConsole console)
    {
        var model = CommonOptions.File("MODEL", "Packed model or checkpoint");
        var data = CommonOptions.File("--data", "Folder with labels.csv (file,class_index) or one folder a class", "DIR", required: true);
        var limit = CommonOptions.Positive("--limit", "Use the first N images only", "N");
        var (threads, json) = (CommonOptions.Threads(), CommonOptions.Json());
        var command = new ExampleCommand(
            "eval", "Measure top-1 and top-5 accuracy on labelled images", "shiftadd eval deit_tiny.savit --data imagenet_val --limit 500")
        {
            model, data, limit, threads, json,
        };
        var options = new ModelOptions().AddTo(command, images: true);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var path = parsed.GetRequiredValue(model);
            var graph = options.Open(parsed, path).Graph;
            var preprocessing = options.Preprocessing(parsed, path, graph);
            var set = LabeledImageSet.Open(parsed.GetRequiredValue(data), graph.Architecture.Classes, graph.ClassNames);
            if (parsed.GetValue(limit) is { } count) set = set.Take(count);
            var workers = Math.Min(CommonOptions.ThreadsOrDefault(parsed.GetValue(threads)), set.Count);
            using var compiled = console.Compile(graph);
            using var progress = new ProgressLine(console, "images", set.Count);
            var r = Evaluation.Run(compiled, set, preprocessing, workers, progress, cancellation);
            if (parsed.GetValue(json)) console.WriteJson(new(r.Top1, r.Top5, r.Images, r.ImagesPerSecond), ResultJson.Default.EvalResult);
            else console.WriteLine($"top-1 {r.Top1:0.00} %, top-5 {r.Top5:0.00} %, {r.Images} images, {r.ImagesPerSecond:0.0} images/s");
            return CommandLine.Success;
        }, cancellation));
        return command;
    }
}
