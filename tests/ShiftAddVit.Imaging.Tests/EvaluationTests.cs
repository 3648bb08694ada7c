using ShiftAddVit.Inference;

namespace ShiftAddVit.Imaging.Tests;

public sealed class EvaluationTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly CompiledModel _model = CompiledModel.Compile(EvaluationModel.Create());

    public void Dispose()
    {
        _model.Dispose();
        _directory.Dispose();
    }

    EvaluationResult Run(LabeledImageSet set, int threads = 1, IProgress<int>? progress = null, CancellationToken cancellation = default) =>
        Evaluation.Run(_model, set, EvaluationModel.Preprocessing, threads, progress, cancellation);

    [Theory]
    [InlineData(1), InlineData(2), InlineData(4), InlineData(100)]
    public void Percentages_are_those_of_the_classes_found(int threads)
    {
        using var classifier = new ImageClassifier(_model);
        var ranked = classifier.Classify(EvaluationModel.Images, top: 9);
        // Images 0..6 have their class at ranks 0, 1, 4, 5, 8, 0 and 4.
        int[] ranks = [0, 1, 4, 5, 8, 0, 4];
        var result = Run(EvaluationModel.Set(_directory, i => ranked[i % 7][ranks[i % 7]].ClassIndex, copies: 2), threads);
        Assert.Equal((100.0 * 4 / 14, 100.0 * 10 / 14, 14), (result.Top1, result.Top5, result.Images));
        Assert.True(result.ImagesPerSecond > 0);
    }

    [Fact]
    public void Of_equal_logits_the_lower_index_comes_first()
    {
        using var indifferent = CompiledModel.Compile(EvaluationModel.Create(head: 0));
        var set = EvaluationModel.Set(_directory, i => i);
        var result = Evaluation.Run(indifferent, set, EvaluationModel.Preprocessing, 1, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal((100.0 * 1 / 7, 100.0 * 5 / 7), (result.Top1, result.Top5));
    }

    [Fact]
    public void Every_image_is_reported_once()
    {
        var reports = new Reports();
        Run(EvaluationModel.Set(_directory, _ => 0, copies: 3), threads: 3, reports);
        Assert.Equal(Enumerable.Range(1, 21), reports.Values.Order());
    }

    [Theory]
    [InlineData(1), InlineData(3)]
    public void An_image_that_cannot_be_used_ends_the_run_and_is_named(int threads)
    {
        var set = EvaluationModel.Set(_directory, _ => 0, copies: 2);
        _directory.File(Path.GetFileName(set.Items[9].Path), "no image");
        var error = Assert.Throws<ShiftAddVitException>(() => Run(set, threads));
        Assert.Contains(set.Items[9].Path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1), InlineData(3)]
    public void A_run_can_be_cancelled(int threads)
    {
        using var source = new CancellationTokenSource();
        var reports = new Reports { Then = count => { if (count == 2) source.Cancel(); } };
        Assert.ThrowsAny<OperationCanceledException>(() => Run(EvaluationModel.Set(_directory, _ => 0, copies: 5), threads, reports, source.Token));
        // Each thread may have had one image under way.
        Assert.InRange(reports.Values.Count, 2, 2 + threads);
    }

    [Fact]
    public void What_does_not_fit_the_model_is_refused()
    {
        var set = EvaluationModel.Set(_directory, _ => 8);
        var wrong = EvaluationModel.Preprocessing with { Crop = 15 };
        var error = Assert.Throws<ShiftAddVitException>(() => Evaluation.Run(_model, set, wrong, 1, cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("crop 15 where the model's image size is 16", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>("threads", () => Run(set, threads: 0));
        _directory.File("labels.csv", "file,class_index\n0.png,9");
        Assert.Throws<ArgumentException>("set", () => Run(LabeledImageSet.Open(_directory.Path, 10)));
    }

    /// <summary>Reports as they come, on the threads that make them.</summary>
    sealed class Reports : IProgress<int>
    {
        public List<int> Values { get; } = [];

        public Action<int> Then { get; init; } = _ => { };

        public void Report(int value)
        {
            lock (Values) Values.Add(value);
            Then(value);
        }
    }
}
