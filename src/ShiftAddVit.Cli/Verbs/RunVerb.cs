using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Imaging;
using ShiftAddVit.Inference;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd run</c>: images to classes.</summary>
static class RunVerb
{
    public static Command Create(CommandConsole console)
    {
        var model = CommonOptions.File("MODEL", "Packed model or checkpoint");
        var images = new Argument<string[]>("IMAGE") { Description = "JPEG, PNG or WebP files", Arity = ArgumentArity.OneOrMore };
        images.Validators.Add(result => CommonOptions.RequireNamed(result, "IMAGE"));
        var (threads, json) = (CommonOptions.Threads(), CommonOptions.Json());
        var command =
            new ExampleCommand("run", "Classify images: the five best classes of each", "shiftadd run deit_tiny.savit cat.jpg dog.png")
        {
            model, images, threads, json,
        };
        var options = new ModelOptions().AddTo(command, images: true);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var path = parsed.GetRequiredValue(model);
            var graph = options.Open(parsed, path).Graph;
            var preprocessing = options.Preprocessing(parsed, path, graph);
            using var compiled = console.Compile(graph);
            var session = new SessionOptions { Threads = CommonOptions.ThreadsOrDefault(parsed.GetValue(threads)) };
            using var classifier = new ImageClassifier(compiled, session, preprocessing);
            return Run(console, classifier, parsed.GetRequiredValue(images), parsed.GetValue(json), cancellation);
        }, cancellation));
        return command;
    }

    public static TopResult[] Describe(IEnumerable<Classification> top) =>
        [.. top.Select(c => new TopResult(c.ClassIndex, c.ClassName, c.Probability, c.Logit))];

    /// <summary>An image that cannot be used is reported and does not keep the others from being classified.</summary>
    static int Run(CommandConsole console, ImageClassifier classifier, string[] images, bool json, CancellationToken cancellation)
    {
        var results = new List<ImageResult>();
        var exitCode = CommandLine.Success;
        foreach (var image in images)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                results.Add(new(image, Describe(classifier.Classify(image))));
                if (!json) Print(console, results[^1]);
            }
            catch (ShiftAddVitException failure)
            {
                console.Error(failure.Message);
                exitCode = CommandLine.BadInput;
            }
        }
        if (json) console.WriteJson(new([.. results]), ResultJson.Default.RunResult);
        return exitCode;
    }

    static void Print(CommandConsole console, ImageResult result)
    {
        console.WriteLine(result.Image);
        foreach (var top in result.Top) console.WriteLine($"  {top.Probability,7:P1}  {top.ClassName}");
    }
}
