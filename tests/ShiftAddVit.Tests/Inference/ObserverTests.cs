using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Inference;

public class ObserverTests
{
    [Theory]
    [InlineData(false), InlineData(true)]
    public void Every_activation_is_seen_once_in_the_order_of_the_forward_pass(bool distilled)
    {
        const int Batch = 3;
        var graph = TinyModels.Create(TinyModels.Architecture with { DistillationToken = distilled });
        using var model = CompiledModel.Compile(graph);
        var log = new ActivationLog();
        using var session = model.CreateSession(new() { MaxBatch = 4, Threads = 2, Observer = log.Observe });
        var logits = session.Run(TinyModels.Images(graph.Architecture, Batch), Batch);

        var inputs = log.Seen.Where(seen => seen.Kind == ActivationKind.LinearInput).ToList();
        Assert.Equal(graph.Linears().Select(layer => (layer.Name, layer.Weight.Inputs)), inputs.Select(seen => (seen.Name, seen.Columns)));
        Assert.Equal(graph.Linears().Select(layer => Batch * Rows(layer)), inputs.Select(seen => seen.Rows));
        string[] stream = ["embed", "blocks.0", "blocks.1"];
        Assert.Equal(stream, log.Seen.Where(seen => seen.Kind == ActivationKind.Residual).Select(seen => seen.Name));
        Assert.Equal(
            ["patch_embed.proj", "embed", "blocks.0.attn.qkv", "blocks.0.attn.proj", "blocks.0.mlp.fc1", "blocks.0.mlp.fc2", "blocks.0"],
            log.Seen.Take(7).Select(seen => seen.Name));
        Assert.Equal((ActivationKind.Logits, "logits"), (log.Seen[^1].Kind, log.Seen[^1].Name));
        Assert.Equal(logits, log.Seen[^1].Values);

        int Rows(Linear layer) => layer.Role switch
        {
            LinearRole.PatchEmbedding => graph.Architecture.Patches,
            LinearRole.Head => 1,
            _ => graph.Architecture.Tokens,
        };
    }

    [Fact]
    public void Observing_changes_no_bit()
    {
        var graph = LinearPass.Apply(TinyModels.Create(), WeightFormat.P4).Graph;
        using var model = CompiledModel.Compile(graph);
        var image = TinyModels.Images(graph.Architecture, 1);
        using var session = model.CreateSession();
        Assert.Equal(session.Run(image, 1), ActivationLog.Of(model, image)[ActivationKind.Logits, "logits"]);
    }

    [Theory]
    [InlineData(1), InlineData(3)]
    public void Second_moments_are_the_plain_sums(int threads)
    {
        // Float32 sums of 60 products against double: 60 roundings of 6e-8, relative to the sum of magnitudes.
        const double Tolerance = 4e-6;
        var graph = TinyModels.Create();
        using var model = CompiledModel.Compile(graph);
        var log = new ActivationLog();
        var collector = new SecondMomentCollector(name => !name.Contains("fc1", StringComparison.Ordinal), threads);
        using var session = model.CreateSession(new()
        {
            MaxBatch = 2,
            Observer = (in activation) => { log.Observe(activation); collector.Observe(activation); },
        });
        for (var call = 0; call < 3; call++) session.Run(TinyModels.Images(graph.Architecture, 2, seed: call), 2);

        var moments = collector.Result();
        Assert.Equal(graph.Linears().Select(layer => layer.Name).Where(name => !name.Contains("fc1", StringComparison.Ordinal)), moments.Keys);
        foreach (var (name, moment) in moments)
        {
            var tokens = log.Seen.Where(seen => seen.Kind == ActivationKind.LinearInput && seen.Name == name).ToList();
            Assert.Equal((tokens[0].Columns, tokens.Sum(seen => (long)seen.Rows)), (moment.Size, moment.Samples));
            AssertSums([.. tokens.SelectMany(seen => seen.Values)], moment, Tolerance);
        }
    }

    static void AssertSums(float[] tokens, SecondMoment moment, double tolerance)
    {
        for (var i = 0; i < moment.Size; i++)
            for (var j = 0; j <= i; j++)
            {
                double sum = 0, magnitude = 0;
                for (var start = 0; start < tokens.Length; start += moment.Size)
                {
                    sum += (double)tokens[start + i] * tokens[start + j];
                    magnitude += Math.Abs((double)tokens[start + i] * tokens[start + j]);
                }
                Assert.InRange(Math.Abs(sum - moment.Values[i * moment.Size + j]), 0, tolerance * magnitude);
            }
    }

    [Fact]
    public void Second_moments_do_not_depend_on_the_threads()
    {
        using var model = CompiledModel.Compile(TinyModels.Create());
        Dictionary<string, float[]> Collect(int threads)
        {
            var collector = new SecondMomentCollector(_ => true, threads);
            using var session = model.CreateSession(new() { MaxBatch = 3, Threads = threads, Observer = collector.Observe });
            session.Run(TinyModels.Images(model.Architecture, 3), 3);
            return collector.Result().ToDictionary(entry => entry.Key, entry => entry.Value.Values);
        }
        var expected = Collect(1);
        foreach (var threads in new[] { 2, 4 }) Assert.Equal(expected, Collect(threads));
    }
}
