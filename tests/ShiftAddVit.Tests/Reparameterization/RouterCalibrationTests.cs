using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Inference;

namespace ShiftAddVit.Tests.Reparameterization;

public class RouterCalibrationTests
{
    const int Images = 40;

    static readonly VitGraph Graph = MixtureModels.Converted(MixtureModels.Scopes[1], [WeightFormat.F32, WeightFormat.S8, WeightFormat.P4]);

    static readonly IReadOnlyDictionary<string, TokenSample> Sample = Tokens(Graph);

    static IReadOnlyDictionary<string, TokenSample> Tokens(VitGraph graph)
    {
        var wanted = graph.Mixtures().Select(mixture => mixture.Input).ToHashSet();
        var sampler = new TokenSampler(wanted.Contains, Images * graph.Architecture.Tokens);
        using var model = CompiledModel.Compile(graph);
        using var session = model.CreateSession(new() { MaxBatch = Images, Observer = sampler.Observe });
        session.Run(TinyModels.Images(graph.Architecture, Images), Images);
        return sampler.Result();
    }

    [Theory]
    [InlineData(0.25), InlineData(0.6), InlineData(0.9)]
    public void The_share_of_the_tokens_goes_to_the_last_expert_and_the_rest_to_the_first(double share)
    {
        foreach (var mixture in RouterCalibration.Apply(Graph, share, Sample).Graph.Mixtures())
        {
            var routes = Sample[mixture.Input].Values.Chunk(mixture.Router.Inputs).Select(row => ScalarMixture.Route(mixture.Router, row)).ToArray();
            Assert.InRange(routes.Count(route => route.Expert == 2) / (double)routes.Length, share - 0.05, share + 0.05);
            Assert.DoesNotContain(routes, route => route.Expert == 1);
            Assert.InRange(routes.Count(route => route.Gate > 0.99) / (double)routes.Length, 0.85, 1);
        }
    }

    /// <summary>Tokens on which the experts differ less are those that the last expert gets.</summary>
    [Fact]
    public void Tokens_that_lose_least_go_to_the_last_expert()
    {
        foreach (var mixture in RouterCalibration.Apply(Graph, 0.5, Sample).Graph.Mixtures())
        {
            var rows = Sample[mixture.Input].Values.Chunk(mixture.Router.Inputs).ToLookup(row => ScalarMixture.Route(mixture.Router, row).Expert);
            Assert.True(rows[2].Average(row => Loss(mixture, row)) < rows[0].Average(row => Loss(mixture, row)), mixture.Name);
        }
    }

    static double Loss(GraphMixture mixture, float[] x)
    {
        var (first, last) = (ScalarModel.Linear(mixture.Experts[0][0], x), ScalarModel.Linear(mixture.Experts[^1][0], x));
        return Math.Log(first.Zip(last, (a, b) => (a - b) * (a - b)).Sum());
    }

    [Fact]
    public void The_result_does_not_depend_on_the_threads()
    {
        var routers = new[] { 1, 3 }.Select(threads => RouterCalibration.Apply(Graph, 0.5, Sample, threads).Graph.Mixtures().SelectMany(
            mixture => mixture.Router.Weight.ToFloat32().Memory.ToArray()).ToArray()).ToArray();
        Assert.Equal(routers[0], routers[1]);
    }

    [Fact]
    public void Experts_that_do_not_differ_and_impossible_shares_are_refused()
    {
        var same = MixtureModels.Converted([MixtureScope.Fc1], [WeightFormat.P4, WeightFormat.P4]);
        var error = Assert.Throws<AggregateException>(() => RouterCalibration.Apply(same, 0.5, Tokens(same))).InnerException;
        Assert.Contains("do not differ", Assert.IsType<ShiftAddVitException>(error).Message, StringComparison.Ordinal);
        foreach (var share in new[] { 0, 1, -0.5, double.NaN })
            Assert.Throws<ArgumentOutOfRangeException>(() => RouterCalibration.Apply(Graph, share, Sample));
    }

    [Fact]
    public void A_sampler_keeps_tokens_evenly_and_no_more_than_its_bound()
    {
        var sampler = new TokenSampler(name => name == "x", tokens: 3 * 4096);
        for (var call = 0; call < 3; call++)
        {
            float[] rows = [.. Enumerable.Range(0, 4096 * 2).Select(i => (float)(call * 4096 + i / 2))];
            sampler.Observe(new(ActivationKind.LinearInput, "x", 2, rows));
            sampler.Observe(new(ActivationKind.LinearInput, "y", 2, rows));
            sampler.Observe(new(ActivationKind.Routing, "x", 2, rows));
        }
        var (name, sample) = Assert.Single(sampler.Result());
        Assert.Equal(("x", 2), (name, sample.Columns));
        Assert.Equal(Enumerable.Range(0, 4096).Select(i => 3f * i), sample.Values.Where((_, i) => i % 2 == 0));
    }
}
