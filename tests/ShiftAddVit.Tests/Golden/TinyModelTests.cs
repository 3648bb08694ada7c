using System.Globalization;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Inference;

namespace ShiftAddVit.Tests.Golden;

/// <summary>Tiny models of every kind of the family against a plain float64 transcription in PyTorch.</summary>
public class TinyModelTests
{
    /// <summary>
    /// Float32 against float64. The residual stream holds values up to 10; the roundings of a few hundred additions, 6e-8 relative each
    /// and adding up as a random walk, stay below this.
    /// </summary>
    const double Tolerance = 1e-5;

    [Theory]
    [InlineData("plain"), InlineData("distilled"), InlineData("no_qkv_bias"), InlineData("other_size")]
    public void Residual_stream_and_logits_match_float64(string name)
    {
        using var expected = Checkpoint.Open(GoldenFiles.PathOf(name + ".expected"));
        using var model = CompiledModel.Load(
            GoldenFiles.PathOf(name), load: new(Heads: Number(expected, "heads"), Crop: Number(expected, "run_at")));
        var images = expected.ReadFloat32("images");
        var differences = new Dictionary<string, double>();
        using var session = model.CreateSession(new()
        {
            MaxBatch = images.Shape[0],
            Observer = (in activation) =>
            {
                if (activation.Kind == ActivationKind.LinearInput) return;
                differences[activation.Name] = GoldenFiles.MaxDifference(expected.ReadFloat32(activation.Name).Values, activation.Values);
            },
        });
        var logits = session.Run(images.Values, images.Shape[0]);

        Assert.Equal(expected.Tensors.Keys.Except(["images"]), differences.Keys);
        Assert.All(differences, difference => Assert.InRange(difference.Value, 0, Tolerance));
        Assert.InRange(GoldenFiles.MaxDifference(expected.ReadFloat32("logits").Values, logits), 0, Tolerance);
    }

    static int Number(Checkpoint expected, string name) => int.Parse(expected.Metadata[name], CultureInfo.InvariantCulture);
}
