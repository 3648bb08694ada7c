using System.Text.Json;
using ShiftAddVit.Kernels;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class ExpertLatenciesTests
{
    /// <summary>Every float kernel takes 4 us a call, the others 1.</summary>
    static readonly Tuner Tuner = new(
        KernelRegistry.Default, TimeSpan.Zero,
        (_, kernels) => new FakeTimer((candidate, _) => kernels[candidate] is FloatKernel ? 4 : 1),
        (_, _) => throw new InvalidOperationException(), (_, _) => throw new InvalidOperationException());

    [Theory]
    [InlineData(0), InlineData(1), InlineData(2)]
    public void Alphas_are_shares_of_the_time_and_shares_of_the_tokens_the_inverse(int scopes)
    {
        var graph = MixtureModels.Converted(MixtureModels.Scopes[scopes], [WeightFormat.F32, WeightFormat.P4]);
        var found = Tuner.MeasureExperts(graph, TunedChoices.None);
        Assert.Equal(graph.Mixtures().Select(mixture => mixture.Name), found.Mixtures.Select(mixture => mixture.Layer));
        var layers = scopes == 2 ? 2.0 : 1;
        Assert.All(found.Mixtures, mixture => Assert.Equal(
            [("F32", 4 * layers / found.Rows, 0.8, 0.2), ("P4", layers / found.Rows, 0.2, 0.8)],
            mixture.Experts.Select(expert => (expert.Format, expert.Microseconds, Math.Round(expert.Alpha, 12), Math.Round(expert.Share, 12)))));
    }

    [Fact]
    public void Latencies_are_kept_as_json()
    {
        using var folder = new TemporaryFolder();
        var found = Tuner.MeasureExperts(MixtureModels.Converted([MixtureScope.Fc2], [WeightFormat.F32, WeightFormat.S8, WeightFormat.P4]), TunedChoices.None);
        found.Save(folder["alphas.json"]);
        var json = JsonDocument.Parse(File.ReadAllText(folder["alphas.json"])).RootElement;
        Assert.Equal(Processor.Name, json.GetProperty("machine").GetString());
        var mixture = json.GetProperty("mixtures")[0];
        Assert.Equal("blocks.0.mlp.fc2", mixture.GetProperty("layer").GetString());
        Assert.Equal(["F32", "S8", "P4"], mixture.GetProperty("experts").EnumerateArray().Select(expert => expert.GetProperty("format").GetString()));
        Assert.Equal(1, mixture.GetProperty("experts").EnumerateArray().Sum(expert => expert.GetProperty("alpha").GetDouble()), 12);
    }

    [Fact]
    public void A_model_without_mixtures_is_refused() => Assert.Contains(
        "has no mixtures", Assert.Throws<ShiftAddVitException>(() => Tuner.MeasureExperts(TinyModels.Create(), TunedChoices.None)).Message, StringComparison.Ordinal);

    /// <summary>The real timer, for a moment.</summary>
    [Fact]
    public void Times_are_measured()
    {
        var graph = MixtureModels.Converted(MixtureModels.Scopes[2], [WeightFormat.F32, WeightFormat.P4]);
        var found = new Tuner(KernelRegistry.Default, TimeSpan.Zero).MeasureExperts(graph, TunedChoices.None);
        Assert.All(found.Mixtures.SelectMany(mixture => mixture.Experts), expert => Assert.InRange(expert.Microseconds, double.Epsilon, 1e6));
    }
}
