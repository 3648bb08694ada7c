using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Imaging.Tests;

/// <summary>A small seeded model and the small images of the fixtures.</summary>
static class EvaluationModel
{
    public static VitArchitecture Architecture { get; } = new(ImageSize: 16, PatchSize: 8, Width: 12, Depth: 1, Heads: 2, MlpWidth: 20, Classes: 9);

    public static Preprocessing Preprocessing { get; } = new(17, 16, Preprocessing.Half, Preprocessing.Half);

    public static string[] Images { get; } = [.. new[] { "rgb.png", "rgb_16.png", "grey.png", "cmyk_adobe.jpg", "sampling_420.jpg", "orientation_6.jpg", "orientation_3.jpg" }
        .Select(name => Fixture.PathOf("Decode", name))];

    /// <summary>Random weights; with <paramref name="head"/> 0 every image has the same logit for all classes.</summary>
    public static VitGraph Create(float head = 1)
    {
        var random = new Random(5);
        var tensors = Architecture.Parameters().ToDictionary(
            parameter => parameter.Name, parameter => Random(random, parameter.Shape, parameter.Name.StartsWith("head", StringComparison.Ordinal) ? head : 0.3f));
        return VitGraphBuilder.FromTensors(
            Architecture, tensors, Preprocessing, [.. Enumerable.Range(0, 9).Select(i => $"class {i}")], new("tiny.safetensors", "", []));
    }

    static Tensor Random(Random random, Shape shape, float scale) =>
        new(shape, [.. Enumerable.Range(0, shape.ElementCount).Select(_ => scale * (2 * random.NextSingle() - 1))]);

    /// <summary>The fixtures' images under labels.csv, each <paramref name="copies"/> times.</summary>
    public static LabeledImageSet Set(TemporaryDirectory directory, Func<int, int> classOf, int copies = 1)
    {
        var rows = new List<string> { "file,class_index" };
        for (var i = 0; i < copies * Images.Length; i++)
        {
            var name = $"{i}{Path.GetExtension(Images[i % Images.Length])}";
            directory.File(name, File.ReadAllBytes(Images[i % Images.Length]));
            rows.Add($"{name},{classOf(i)}");
        }
        directory.File("labels.csv", string.Join('\n', rows));
        return LabeledImageSet.Open(directory.Path, Architecture.Classes);
    }
}
