using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Imaging.Tests;

public class CalibrationTests
{
    static readonly VitGraph Graph = EvaluationModel.Create();

    static IReadOnlyDictionary<string, SecondMoment> Moments(IReadOnlyList<string> images, int threads = 1, IProgress<int>? progress = null, CancellationToken cancellation = default) =>
        Calibration.SecondMoments(Graph, images, EvaluationModel.Preprocessing, threads, progress, cancellation);

    [Fact]
    public void Moments_are_those_of_the_images_for_every_layer_that_is_converted()
    {
        var moments = Moments(EvaluationModel.Images);
        Assert.Equal(["blocks.0.attn.qkv", "blocks.0.attn.proj", "blocks.0.mlp.fc1", "blocks.0.mlp.fc2"], moments.Keys);

        var collector = new SecondMomentCollector(moments.ContainsKey, 1);
        using var model = CompiledModel.Compile(Graph);
        using var session = model.CreateSession(new() { Observer = collector.Observe });
        var preprocessor = new ImagePreprocessor(EvaluationModel.Preprocessing);
        var image = new float[preprocessor.Length];
        foreach (var path in EvaluationModel.Images)
        {
            preprocessor.Load(path, image);
            session.Run(image, 1);
        }
        foreach (var (name, expected) in collector.Result())
        {
            Assert.Equal(expected.Values, moments[name].Values);
            Assert.Equal(Graph.Architecture.Tokens * EvaluationModel.Images.Length, moments[name].Samples);
        }
    }

    [Fact]
    public void Moments_do_not_depend_on_the_threads()
    {
        var expected = Moments(EvaluationModel.Images);
        foreach (var threads in new[] { 2, 4 })
            foreach (var (name, moment) in Moments(EvaluationModel.Images, threads)) Assert.Equal(expected[name].Values, moment.Values);
    }

    [Fact]
    public void Progress_counts_the_images_and_the_run_can_be_cancelled()
    {
        using var source = new CancellationTokenSource();
        var counts = new List<int>();
        var progress = new Synchronous(count =>
        {
            counts.Add(count);
            if (count == 3) source.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Moments(EvaluationModel.Images, progress: progress, cancellation: source.Token));
        Assert.Equal([1, 2, 3], counts);
    }

    [Fact]
    public void What_cannot_be_used_is_named()
    {
        using var directory = new TemporaryDirectory();
        var text = directory.File("text.png", "no image");
        Assert.Contains(text, Assert.Throws<ShiftAddVitException>(() => Moments([EvaluationModel.Images[0], text])).Message, StringComparison.Ordinal);
        var wrong = EvaluationModel.Preprocessing with { Crop = 15 };
        var error = Assert.Throws<ShiftAddVitException>(
            () => Calibration.SecondMoments(Graph, EvaluationModel.Images, wrong, 1, cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("crop 15 where the model's image size is 16", error.Message, StringComparison.Ordinal);
    }

    sealed class Synchronous(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
