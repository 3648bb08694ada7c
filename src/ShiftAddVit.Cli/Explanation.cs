using ShiftAddVit.Checkpoints;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Imaging;
using ShiftAddVit.Models;
using ShiftAddVit.Reports;
using Spectre.Console;

namespace ShiftAddVit.Cli;

/// <summary>What <c>run --explain</c> shows of each image: which experts its tokens went to, as a picture and in shares.</summary>
sealed class Explanation
{
    readonly string _folder;
    readonly VitArchitecture _architecture;
    readonly ImagePreprocessor _preprocessor;
    readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes the folder.</summary>
    /// <exception cref="ShiftAddVitException">The model has no mixtures, or the folder cannot be made.</exception>
    public Explanation(string folder, string model, VitGraph graph, Preprocessing preprocessing)
    {
        var formats = graph.Mixtures().ToDictionary(mixture => mixture.Name, mixture => mixture.ExpertNames);
        if (formats.Count == 0)
            throw new ShiftAddVitException(
                $"--explain: {model} has no mixtures of experts to explain; models made with reparameterize --moe have");
        (_folder, _architecture, _preprocessor, Log) = (folder, graph.Architecture, new(preprocessing), new(formats));
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ShiftAddVitException($"--explain {folder}: cannot be made: {e.Message}", e);
        }
    }

    /// <summary>Sees where tokens go.</summary>
    public RoutingLog Log { get; }

    /// <summary>Draws the picture of the image that was classified last.</summary>
    public ImageResult Explain(CommandConsole console, ImageResult result, CancellationToken cancellation)
    {
        var routings = Log.Take();
        var png = PngEncoder.Encode(_preprocessor.Crop(ImageDecoder.Decode(result.Image), result.Image));
        var subtitle = FormattableString.Invariant($"{result.Top[0].ClassName}, {100 * result.Top[0].Probability:0.0} %");
        var svg = RoutingPicture.Svg(Path.GetFileName(result.Image), subtitle, _architecture, png, routings);
        var picture = Path.Combine(_folder, FreeName(result.Image) + ".svg");
        console.WriteFile(() => AtomicFile.Write(picture, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(svg))), cancellation);
        return result with { Picture = picture, Mixtures = [.. routings.Select(Describe)] };
    }

    /// <summary>Prints the shares of each layer.</summary>
    public static void Print(CommandConsole console, ImageResult result)
    {
        var experts = result.Mixtures!.Max(mixture => mixture.Experts.Length);
        var table = new Table().Border(TableBorder.Simple).AddColumn("layer");
        for (var e = 0; e < experts; e++) table.AddColumn($"expert {e}", column => column.RightAligned());
        foreach (var mixture in result.Mixtures!)
            table.AddRow([CommandConsole.Cell(mixture.Layer), .. mixture.Experts.Select(Share)]);
        console.Write(table);
        console.WriteLine($"  picture: {result.Picture}");
    }

    static string Share(ExpertResult expert) => FormattableString.Invariant($"{expert.Format} {100 * expert.Share:0.0} %");

    static MixtureResult Describe(TokenRouting routing) => new(
        routing.Layer,
        [.. routing.Formats.Select((format, e) => new ExpertResult(format, routing.Share(e), routing.Experts.Count(it => it == e)))]);

    /// <summary>The image's name without its ending, numbered where another image has it.</summary>
    string FreeName(string image)
    {
        var name = Path.GetFileNameWithoutExtension(image);
        for (var number = 2; !_names.Add(name); number++) name = $"{Path.GetFileNameWithoutExtension(image)}-{number}";
        return name;
    }
}
