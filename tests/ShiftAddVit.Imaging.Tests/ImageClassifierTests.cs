using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Imaging.Tests;

public class ImageClassifierTests
{
    static Classification[] Expected(CompiledModel model, string path, Preprocessing preprocessing)
    {
        var preprocessor = new ImagePreprocessor(preprocessing);
        var image = new float[preprocessor.Length];
        preprocessor.Load(path, image);
        using var session = model.CreateSession();
        return Classification.Top(session.Run(image, 1), 5, model.ClassNames);
    }

    [Theory]
    [InlineData(1), InlineData(2), InlineData(3), InlineData(16)]
    public void Images_are_classified_in_their_order_whatever_the_batch(int maxBatch)
    {
        using var model = CompiledModel.Compile(EvaluationModel.Create());
        using var classifier = new ImageClassifier(model, new() { MaxBatch = maxBatch, Threads = 2 });
        var results = classifier.Classify(EvaluationModel.Images);
        Assert.Equal(EvaluationModel.Images.Select(path => Expected(model, path, EvaluationModel.Preprocessing)), results);
        Assert.Equal(results[3], classifier.Classify(EvaluationModel.Images[3]));
        Assert.Equal(results.Length, results.Select(result => result[0].Logit).Distinct().Count());
        Assert.All(results, result => Assert.StartsWith("class ", result[0].ClassName, StringComparison.Ordinal));
    }

    [Fact]
    public void As_many_classes_are_returned_as_asked_for()
    {
        using var model = CompiledModel.Compile(EvaluationModel.Create());
        using var classifier = new ImageClassifier(model);
        Assert.Single(classifier.Classify(EvaluationModel.Images[0], top: 1));
        Assert.Equal(9, classifier.Classify(EvaluationModel.Images[0], top: 100).Length);
        Assert.Empty(classifier.Classify(Array.Empty<string>()));
    }

    [Fact]
    public void Pre_processing_is_the_models_unless_another_is_given()
    {
        var other = EvaluationModel.Preprocessing with { Resize = null, Mean = Preprocessing.ImageNetMean };
        using var model = CompiledModel.Compile(EvaluationModel.Create());
        using var classifier = new ImageClassifier(model, preprocessing: other);
        Assert.Equal(Expected(model, EvaluationModel.Images[0], other), classifier.Classify(EvaluationModel.Images[0]));

        using var silent = CompiledModel.Compile(EvaluationModel.Create() with { Preprocessing = null });
        Assert.Contains("--arch", Assert.Throws<ShiftAddVitException>(() => new ImageClassifier(silent)).Message, StringComparison.Ordinal);
        using var told = new ImageClassifier(silent, preprocessing: other);
        Assert.Equal(classifier.Classify(EvaluationModel.Images[0])[0].Logit, told.Classify(EvaluationModel.Images[0])[0].Logit);
    }

    [Fact]
    public void A_crop_of_another_size_is_refused()
    {
        using var model = CompiledModel.Compile(EvaluationModel.Create());
        var error = Assert.Throws<ShiftAddVitException>(() => new ImageClassifier(model, preprocessing: EvaluationModel.Preprocessing with { Crop = 17 }));
        Assert.Contains("crop 17 where the model's image size is 16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_used_is_named_and_harms_no_other()
    {
        using var directory = new TemporaryDirectory();
        var text = directory.File("text.jpg", "no image");
        using var model = CompiledModel.Compile(EvaluationModel.Create());
        using var classifier = new ImageClassifier(model, new() { MaxBatch = 2 });
        var before = classifier.Classify(EvaluationModel.Images[0]);
        var error = Assert.Throws<ShiftAddVitException>(() => classifier.Classify([EvaluationModel.Images[1], text]));
        Assert.Contains(text, error.Message, StringComparison.Ordinal);
        Assert.Equal(before, classifier.Classify(EvaluationModel.Images[0]));
    }
}
