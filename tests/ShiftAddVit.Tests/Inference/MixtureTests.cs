using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Inference;

/// <summary>Mixtures of experts against their scalar definition, and what holds of every session, under every cap of the instruction set.</summary>
public class MixtureTests
{
    const int Batch = 5;

    /// <summary>37 tokens, so that images share parts.</summary>
    static readonly VitArchitecture Architecture = TinyModels.Architecture with { ImageSize = 48 };

    static readonly int ImageLength = VitArchitecture.Channels * Architecture.ImageSize * Architecture.ImageSize;

    /// <summary>Places in <see cref="MixtureModels.Scopes"/> and <see cref="MixtureModels.Experts"/>.</summary>
    public static TheoryData<int, int> Models
    {
        get
        {
            var data = new TheoryData<int, int>();
            for (var scopes = 0; scopes < MixtureModels.Scopes.Length; scopes++)
                for (var experts = 0; experts < MixtureModels.Experts.Length; experts++) data.Add(scopes, experts);
            return data;
        }
    }

    static VitGraph Create(int scopes, int experts, VitArchitecture? architecture = null) =>
        MixtureModels.Create(MixtureModels.Scopes[scopes], MixtureModels.Experts[experts], architecture);

    [Theory, MemberData(nameof(Models))]
    public void Every_block_computes_what_its_definition_says(int scopes, int experts)
    {
        var graph = Create(scopes, experts);
        foreach (var isa in Enum.GetValues<KernelIsa>())
        {
            using var model = CompiledModel.Compile(graph, new() { Registry = new KernelRegistry(isa), Exact = true });
            var seen = ActivationLog.Of(model, TinyModels.Images(graph.Architecture, 1));
            AssertRoutes(graph, seen);
            var residual = seen[ActivationKind.Residual, "embed"];
            for (var i = 0; i < graph.Blocks.Length; i++)
            {
                AssertBlock(graph.Blocks[i], new(graph), seen, residual, seen[ActivationKind.Residual, $"blocks.{i}"]);
                residual = seen[ActivationKind.Residual, $"blocks.{i}"];
            }
        }
    }

    /// <summary>Every token of every mixture, to the bit; and no expert is idle in the whole model.</summary>
    static void AssertRoutes(VitGraph graph, ActivationLog seen)
    {
        var idle = Enumerable.Range(0, Routers(graph).First().Outputs).ToHashSet();
        foreach (var router in Routers(graph))
        {
            var mixture = graph.Mixtures().Single(it => it.Router == router);
            var input = Input(seen, mixture.Input);
            var routes = seen[ActivationKind.Routing, mixture.Name].Chunk(2).ToArray();
            Assert.Equal(input.Chunk(router.Inputs).Select(row => ScalarMixture.Route(router, row)), routes.Select(route => ((int)route[0], route[1])));
            idle.ExceptWith(routes.Select(route => (int)route[0]));
        }
        Assert.Empty(idle);
    }

    static IEnumerable<Linear> Routers(VitGraph graph) => graph.Linears().Where(linear => linear.Role == LinearRole.Router);

    static void AssertBlock(Block block, ScalarModel scalar, ActivationLog seen, float[] before, float[] after)
    {
        var (qkv, projection, width) = (block.Attention.Qkv, block.Attention.Projection, block.Attention.Qkv.Inputs);
        LayerByLayerTests.AssertClose(qkv.Name, scalar.LayerNorm(block.Norm1, Wide(before)), Input(seen, qkv.Name), width);
        LayerByLayerTests.AssertClose(
            projection.Name, scalar.Attention(ScalarMixture.Layer(qkv, Input(seen, qkv.Name))), Input(seen, projection.Name), width);
        var attended = ScalarModel.Add(Wide(before), ScalarMixture.Layer(projection, Input(seen, projection.Name)));
        LayerByLayerTests.AssertClose("mlp", ScalarModel.Add(attended, Mlp(block, scalar.LayerNorm(block.Norm2, attended), seen)), after, width);
    }

    static double[] Mlp(Block block, double[] normed, ActivationLog seen)
    {
        if (block.Mlp is MlpMixture mixture)
        {
            LayerByLayerTests.AssertClose(mixture.Name, normed, Input(seen, mixture.Name), mixture.Router.Inputs);
            return ScalarMixture.Mlp(mixture, Input(seen, mixture.Name));
        }
        var (fc1, fc2) = (Mlp)block.Mlp;
        LayerByLayerTests.AssertClose(fc1.Name, normed, Input(seen, fc1.Name), fc1.Inputs);
        LayerByLayerTests.AssertClose(fc2.Name, ScalarModel.Gelu(ScalarMixture.Layer(fc1, Input(seen, fc1.Name))), Input(seen, fc2.Name), fc2.Inputs);
        return ScalarMixture.Layer(fc2, Input(seen, fc2.Name));
    }

    static float[] Input(ActivationLog seen, string layer) => seen[ActivationKind.LinearInput, layer];

    static double[] Wide(float[] values) => [.. values.Select(value => (double)value)];

    /// <summary>A gate of 1 changes no bit, so that a mixture whose router knows one expert is that expert; the others run on no row at all.</summary>
    [Theory, MemberData(nameof(Models))]
    public void A_mixture_that_sends_all_tokens_to_one_expert_is_that_expert(int scopes, int experts)
    {
        var image = TinyModels.Images(Architecture, 1);
        foreach (var exact in new[] { false, true })
            for (var e = 0; e < MixtureModels.Experts[experts].Length; e++)
            {
                var graph = MixtureModels.AllTo(e, MixtureModels.Scopes[scopes], MixtureModels.Experts[experts], Architecture);
                using var model = CompiledModel.Compile(graph, new() { Exact = exact });
                using var alone = CompiledModel.Compile(OnlyExpert(graph, e), new() { Exact = exact });
                if (model.Exact == alone.Exact) Assert.Equal(Run(alone, image, 1), Run(model, image, 1));
            }
    }

    static VitGraph OnlyExpert(VitGraph graph, int expert)
    {
        var single = graph.MapLayers(layer => layer is Mixture mixture ? mixture.Experts[expert] : layer);
        return single with
        {
            Architecture = graph.Architecture with { Forms = BlockForms.Of(Enumerable.Repeat(BlockForm.Plain, graph.Blocks.Length)) },
            Blocks = [.. single.Blocks.Select(block => block.Mlp is MlpMixture mlp ? block with { Mlp = mlp.Experts[expert] } : block)],
        };
    }

    [Theory, MemberData(nameof(Models))]
    public void The_output_of_an_image_depends_on_nothing_but_the_image(int scopes, int experts)
    {
        using var model = CompiledModel.Compile(Create(scopes, experts, Architecture));
        var images = TinyModels.Images(Architecture, Batch);
        var alone = Enumerable.Range(0, Batch).SelectMany(i => Run(model, images.AsSpan(i * ImageLength, ImageLength), 1)).ToArray();
        for (var threads = 1; threads <= 3; threads++) Assert.Equal(alone, Run(model, images, Batch, threads));
        using var observed = model.CreateSession(new() { MaxBatch = Batch, Observer = (in _) => { } });
        Assert.Equal(alone, observed.Run(images, Batch));
    }

    static float[] Run(CompiledModel model, ReadOnlySpan<float> images, int batch, int threads = 1)
    {
        using var session = model.CreateSession(new() { MaxBatch = batch, Threads = threads });
        return session.Run(images, batch);
    }

    [Theory, MemberData(nameof(Models))]
    public void A_run_allocates_nothing(int scopes, int experts)
    {
        using var model = CompiledModel.Compile(Create(scopes, experts, Architecture));
        using var session = model.CreateSession(new() { MaxBatch = 2, Threads = 2 });
        var (images, logits) = (TinyModels.Images(Architecture, 2), new float[2 * Architecture.Classes]);
        for (var i = 0; i < 3; i++) session.Run(images, 2, logits);
        var before = GC.GetAllocatedBytesForCurrentThread();
        session.Run(images, 2, logits);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory, MemberData(nameof(Models))]
    public void Gelu_from_a_table_follows_the_gate_to_the_bit(int scopes, int experts)
    {
        var graph = Create(scopes, experts);
        if (MixtureModels.Experts[experts].Contains(WeightFormat.F32)) return;
        var image = TinyModels.Images(graph.Architecture, 1);
        foreach (var isa in Enum.GetValues<KernelIsa>())
        {
            using var model = CompiledModel.Compile(graph, new() { Registry = new KernelRegistry(isa) });
            var seen = ActivationLog.Of(model, image);
            foreach (var block in graph.Blocks)
                if (block.Mlp is Mlp { Fc1: Mixture fc1, Fc2: var fc2 }) AssertHidden(fc1, fc2.Name, seen);
        }
    }

    /// <summary>fc1 writes each row where it came from, times its gate, then gelu from its table: what fc2 reads.</summary>
    static void AssertHidden(Mixture fc1, string fc2, ActivationLog seen)
    {
        var hidden = new List<float>();
        foreach (var row in Input(seen, fc1.Name).Chunk(fc1.Inputs))
        {
            var (expert, gate) = ScalarMixture.Route(fc1.Router, row);
            var y = LayerByLayerTests.Bits(fc1.Experts[expert], row);
            for (var n = 0; n < y.Length; n++) y[n] *= gate;
            RowReference.TableGelu(y, y);
            hidden.AddRange(y);
        }
        Assert.Equal(hidden, Input(seen, fc2));
    }

    /// <summary>As it comes from the pass, before any training.</summary>
    [Theory, MemberData(nameof(Models))]
    public void A_new_mixture_computes_its_parent_but_for_a_gate_of_at_least_0_999(int scopes, int experts)
    {
        var image = TinyModels.Images(TinyModels.Architecture, 1);
        var formats = MixtureModels.Experts[experts];
        using var model = CompiledModel.Compile(MixtureModels.Converted(MixtureModels.Scopes[scopes], formats), new() { Exact = true });
        var seen = ActivationLog.Of(model, image);
        var routes = seen.Seen.Where(it => it.Kind == ActivationKind.Routing).SelectMany(it => it.Values.Chunk(2)).ToArray();
        Assert.NotEmpty(routes);
        Assert.All(routes, route => Assert.True(route[0] == 0 && route[1] is >= 0.999f and <= 1));
        if (formats[0] != WeightFormat.F32) return;
        using var parent = CompiledModel.Compile(TinyModels.Create());
        var expected = Run(parent, image, 1);
        Assert.InRange(Golden.GoldenFiles.MaxDifference(expected, Run(model, image, 1)), 0, 0.01 * (expected.Max() - expected.Min()));
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(2)]
    public void Choices_are_seen_behind_what_entered_the_layer(int scopes)
    {
        var graph = Create(scopes, experts: 2);
        using var model = CompiledModel.Compile(graph);
        var seen = ActivationLog.Of(model, TinyModels.Images(graph.Architecture, 1)).Seen;
        Assert.Equal(
            graph.Mixtures().Select(mixture => mixture.Name), seen.Where(it => it.Kind == ActivationKind.Routing).Select(it => it.Name));
        Assert.All(seen.Where(it => it.Kind == ActivationKind.Routing), it =>
        {
            Assert.Equal((2, graph.Architecture.Tokens), (it.Columns, it.Rows));
            Assert.All(it.Values.Chunk(2), route => Assert.True(route[0] is 0 or 1 or 2 && route[1] is > 0.33f and <= 1));
        });
    }
}
