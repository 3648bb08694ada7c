using ShiftAddVit.Models;
using ShiftAddVit.Reports;

namespace ShiftAddVit.Onnx.Tests;

/// <summary>On the files of eng/fixtures/make_onnx_fixtures.py.</summary>
public class OnnxModelTests
{
    static readonly VitArchitecture Architecture = TinyModels.Architecture;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    public void Logits_are_those_of_the_file_at_every_run(int batch, int threads)
    {
        var images = LatencyBenchmark.RandomImages(Architecture, batch);
        using var engine = OnnxModel.Open(Fixture("linear"), Architecture, [batch]).CreateEngine(images, batch, threads);
        var expected = Enumerable.Range(0, batch).SelectMany(image => Linear(images, image)).ToArray();
        Assert.Equal(("onnxruntime", "linear.onnx"), (engine.Name, engine.Model));
        AssertClose(expected, engine.Logits);
        // The input stays bound: other values in the same array are other images.
        for (var i = 0; i < images.Length; i++) images[i] = -images[i];
        engine.Run();
        AssertClose([.. expected.Select(logit => -logit)], engine.Logits);
    }

    [Fact]
    public void A_fixed_batch_serves_that_batch()
    {
        using var engine = OnnxModel.Open(Fixture("fixed_batch"), Architecture, [1])
            .CreateEngine(LatencyBenchmark.RandomImages(Architecture, 1), 1, 1);
        Assert.Equal(Architecture.Classes, engine.Logits.Length);
    }

    [Theory]
    [InlineData("fixed_batch", "its input has a fixed batch of 1, not 8; export it with a free first dimension")]
    [InlineData("other_size", "its input is float [?,3,32,32]; float [batch,3,24,24] is needed")]
    [InlineData("flat_input", "its input is float [?,7]; float [batch,3,24,24] is needed")]
    [InlineData("double_input", "its input is double [?,3,24,24]; float [batch,3,24,24] is needed")]
    [InlineData("two_inputs", "has 2 inputs; one is needed")]
    [InlineData("other_classes", "its output is float [?,5]; float [batch,7] is needed")]
    public void A_file_for_something_else_is_refused(string name, string problem) =>
        Assert.Equal($"{Fixture(name)}: {problem}", Refused(() => OnnxModel.Open(Fixture(name), Architecture, [1, 8])));

    [Theory]
    [InlineData("failing", "ONNX Runtime fails")]
    [InlineData("infinite", "its output is not finite")]
    public void What_fails_in_a_run_fails_before_anything_is_timed(string name, string problem)
    {
        var model = OnnxModel.Open(Fixture(name), Architecture, [1]);
        Assert.StartsWith(
            $"{Fixture(name)}: {problem}", Refused(() => model.CreateEngine(LatencyBenchmark.RandomImages(Architecture, 1), 1, 1)),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    public void A_truncated_file_is_refused(int length)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["cut.onnx"], File.ReadAllBytes(Fixture("linear"))[..length]);
        var message = Refused(() => OnnxModel.Open(folder["cut.onnx"], Architecture, [1]));
        Assert.StartsWith($"{folder["cut.onnx"]}: is no model that ONNX Runtime can run: ", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_must_be_there()
    {
        using var folder = new TemporaryFolder();
        Assert.EndsWith(": no such file", Refused(() => OnnxModel.Open(folder["absent.onnx"], Architecture, [1])), StringComparison.Ordinal);
        Assert.Contains("is a directory", Refused(() => OnnxModel.Open(folder.Path, Architecture, [1])), StringComparison.Ordinal);
    }

    static string Refused(Func<object> action)
    {
        var message = Assert.Throws<ShiftAddVitException>(action).Message;
        Assert.DoesNotContain(message, char.IsControl);
        return message;
    }

    static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name + ".onnx");

    /// <summary>What linear.onnx says, as its script describes it.</summary>
    static IEnumerable<float> Linear(float[] images, int image)
    {
        var pixels = Architecture.ImageSize * Architecture.ImageSize;
        var sum = Enumerable.Range(0, 3).Sum(c => (c + 1) * (double)images.Skip((image * 3 + c) * pixels).Take(pixels).Average());
        return Enumerable.Range(0, Architecture.Classes).Select(k => (float)(sum * (k - 3)));
    }

    /// <summary>To float32's rounding of a mean of 576 values and a sum of three.</summary>
    static void AssertClose(float[] expected, ReadOnlySpan<float> actual) =>
        Assert.InRange(LogitDifference.Between(expected, actual).Share!.Value, 0, 1e-5);
}
