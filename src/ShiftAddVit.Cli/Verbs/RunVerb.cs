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
        var explain = CommonOptions.File("--explain", "Draw which expert each patch went to, a picture an image, in this folder", "DIR");
        var (threads, exact, json) = (CommonOptions.Threads(), CommonOptions.Exact(), CommonOptions.Json());
        var command =
            new ExampleCommand("run", "Classify images: the five best classes of each", "shiftadd run deit_tiny.savit cat.jpg dog.png")
        {
            model, images, explain, threads, exact, json,
        };
        var options = new ModelOptions().AddTo(command, images: true);
        command.SetAction((parsed, cancellation) => CommandConsole.Work(() =>
        {
            var path = parsed.GetRequiredValue(model);
            var graph = options.Open(parsed, path).Graph;
            var preprocessing = options.Preprocessing(parsed, path, graph);
            var explanation = parsed.GetValue(explain) is { } folder ? new Explanation(folder, path, graph, preprocessing) : null;
            using var compiled = console.Compile(graph, parsed.GetValue(exact));
            var session = new SessionOptions
            {
                Threads = CommonOptions.ThreadsOrDefault(parsed.GetValue(threads)), Observer = explanation is null ? null : explanation.Log.Observe,
            };
            using var classifier = new ImageClassifier(compiled, session, preprocessing);
            return Run(console, classifier, explanation, parsed.GetRequiredValue(images), parsed.GetValue(json), cancellation);
        }, cancellation));
        return command;
    }

    public static TopResult[] Describe(IEnumerable<Classification> top) =>
        [.. top.Select(c => new TopResult(c.ClassIndex, c.ClassName, c.Probability, c.Logit))];

    /// <summary>An image that cannot be used is reported and does not keep the others from being classified.</summary>
    static int Run(
        CommandConsole console, ImageClassifier classifier, Explanation? explanation, string[] images, bool json, CancellationToken cancellation)
    {
        var results = new List<ImageResult>();
        var exitCode = CommandLine.Success;
        foreach (var image in images)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var result = new ImageResult(image, Describe(classifier.Classify(image)));
                results.Add(explanation?.Explain(console, result, cancellation) ?? result);
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
        if (result.Picture is not null) Explanation.Print(console, result);
    }
}
