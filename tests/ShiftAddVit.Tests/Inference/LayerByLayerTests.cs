using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Inference;

/// <summary>
/// Every layer's output against a scalar evaluation of the layer from what entered it, under every cap of the instruction set, so that
/// a rounding that flips in one layer does not blur the next.
/// </summary>
public class LayerByLayerTests
{
    /// <summary>Floats: at most 1e-5 of the row's largest magnitude, for every backend fed the same quantised input.</summary>
    const double Tolerance = 1e-5;

    /// <summary>End to end one rounding that flips cascades: a logit may move by 5 % of the range of the logits.</summary>
    const double LogitTolerance = 0.05;

    /// <summary>Models by their width, with a distillation token and without.</summary>
    static readonly Dictionary<string, VitArchitecture> Architectures = new()
    {
        ["narrow"] = TinyModels.Architecture, ["distilled"] = TinyModels.Architecture with { DistillationToken = true }, ["wide"] = TinyModels.Wide,
    };

    public static TheoryData<KernelIsa, WeightFormat, string> Cases =>
    [
        .. from isa in Enum.GetValues<KernelIsa>()
           from format in Enum.GetValues<WeightFormat>()
           from name in Architectures.Keys
           select (isa, format, name),
    ];

    static VitGraph Model(WeightFormat format, string name) => LinearPass.Apply(TinyModels.Create(Architectures[name]), format).Graph;

    static CompiledModel Compile(VitGraph graph, KernelIsa isa, bool exact) =>
        CompiledModel.Compile(graph, new() { Registry = new KernelRegistry(isa), Exact = exact });

    [Theory, MemberData(nameof(Cases))]
    public void Every_layer_computes_what_its_definition_says(KernelIsa isa, WeightFormat format, string name)
    {
        var graph = Model(format, name);
        using var model = Compile(graph, isa, exact: true);
        var (seen, scalar) = (ActivationLog.Of(model, TinyModels.Images(graph.Architecture, 1)), new ScalarModel(graph));
        AssertEmbedding(graph, seen);
        var residual = seen[ActivationKind.Residual, "embed"];
        for (var i = 0; i < graph.Blocks.Length; i++)
        {
            AssertBlock(graph.Blocks[i], scalar, seen, residual, seen[ActivationKind.Residual, $"blocks.{i}"]);
            residual = seen[ActivationKind.Residual, $"blocks.{i}"];
        }
        AssertHeads(graph, scalar, seen, residual);
    }

    static void AssertEmbedding(VitGraph graph, ActivationLog seen)
    {
        var (embedding, width) = (graph.Embedding, graph.Architecture.Width);
        double[] expected =
        [
            .. embedding.ClassToken.Memory.ToArray(), .. embedding.DistillationToken?.Memory.ToArray() ?? [],
            .. ScalarModel.Linear(embedding.Projection, Input(seen, embedding.Projection)),
        ];
        AssertClose("embed", ScalarModel.Add(expected, Wide(embedding.Positions.Memory.ToArray())), seen[ActivationKind.Residual, "embed"], width);
    }

    static void AssertBlock(Block block, ScalarModel scalar, ActivationLog seen, float[] before, float[] after)
    {
        var (qkv, projection, fc1, fc2) = TinyModels.LinearsOf(block);
        AssertInput(seen, qkv, scalar.LayerNorm(block.Norm1, Wide(before)));
        AssertInput(seen, projection, scalar.Attention(ScalarModel.Linear(qkv, Input(seen, qkv))));
        var attended = ScalarModel.Add(Wide(before), ScalarModel.Linear(projection, Input(seen, projection)));
        AssertInput(seen, fc1, scalar.LayerNorm(block.Norm2, attended));
        AssertInput(seen, fc2, ScalarModel.Gelu(ScalarModel.Linear(fc1, Input(seen, fc1))));
        AssertClose(fc2.Name, ScalarModel.Add(attended, ScalarModel.Linear(fc2, Input(seen, fc2))), after, projection.Weight.Outputs);
    }

    static void AssertHeads(VitGraph graph, ScalarModel scalar, ActivationLog seen, float[] residual)
    {
        var width = graph.Architecture.Width;
        AssertInput(seen, graph.Head, scalar.LayerNorm(graph.Norm, Wide(residual[..width])));
        var logits = ScalarModel.Linear(graph.Head, Input(seen, graph.Head));
        if (graph.DistillationHead is { } second)
        {
            AssertInput(seen, second, scalar.LayerNorm(graph.Norm, Wide(residual[width..(2 * width)])));
            logits = [.. ScalarModel.Add(logits, ScalarModel.Linear(second, Input(seen, second))).Select(sum => sum / 2)];
        }
        AssertClose("logits", logits, seen[ActivationKind.Logits, "logits"], logits.Length);
    }

    static float[] Input(ActivationLog seen, Linear layer) => seen[ActivationKind.LinearInput, layer.Name];

    static void AssertInput(ActivationLog seen, Linear layer, double[] expected) =>
        AssertClose(layer.Name, expected, Input(seen, layer), layer.Weight.Inputs);

    static double[] Wide(float[] values) => [.. values.Select(value => (double)value)];

    internal static void AssertClose(string what, double[] expected, float[] actual, int columns)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var start = 0; start < expected.Length; start += columns)
        {
            var largest = expected[start..(start + columns)].Max(Math.Abs);
            for (var i = start; i < start + columns; i++)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= Tolerance * largest, $"{what}: row {start / columns}: {expected[i]} {actual[i]}");
        }
    }

    /// <summary>
    /// What is not exact by default has bits of its own, the same on every instruction set: all of a block but the sums of its norms.
    /// </summary>
    [Theory, MemberData(nameof(Cases))]
    public void Blocks_with_attention_on_bytes_and_gelu_from_a_table_have_the_bits_of_their_references(KernelIsa isa, WeightFormat format, string name)
    {
        var graph = Model(format, name);
        using var model = Compile(graph, isa, exact: false);
        Assert.Equal(format == WeightFormat.F32, model.Exact);
        if (model.Exact) return;
        var seen = ActivationLog.Of(model, TinyModels.Images(graph.Architecture, 1));
        var residual = seen[ActivationKind.Residual, "embed"];
        for (var i = 0; i < graph.Blocks.Length; i++)
        {
            var (qkv, projection, fc1, fc2) = TinyModels.LinearsOf(graph.Blocks[i]);
            Assert.Equal(ByteAttention.Run(graph.Architecture, Bits(qkv, Input(seen, qkv))), Input(seen, projection));
            var hidden = Bits(fc1, Input(seen, fc1));
            RowReference.TableGelu(hidden, hidden);
            Assert.Equal(hidden, Input(seen, fc2));
            RowReference.Add(Bits(projection, Input(seen, projection)), residual);
            RowReference.Add(Bits(fc2, hidden), residual);
            Assert.Equal(residual, seen[ActivationKind.Residual, $"blocks.{i}"]);
        }
    }

    [Theory]
    [InlineData(WeightFormat.F32, true), InlineData(WeightFormat.S8, true), InlineData(WeightFormat.P4, true), InlineData(WeightFormat.P4P4, true)]
    [InlineData(WeightFormat.P5, true), InlineData(WeightFormat.P5, false), InlineData(WeightFormat.P5, false, "wide")]
    [InlineData(WeightFormat.S8, false), InlineData(WeightFormat.P4, false), InlineData(WeightFormat.P4P4, false)]
    [InlineData(WeightFormat.S8, false, "wide"), InlineData(WeightFormat.P4, false, "wide"), InlineData(WeightFormat.P4P4, false, "wide")]
    public void Logits_agree_between_all_instruction_sets(WeightFormat format, bool exact, string name = "narrow")
    {
        var graph = Model(format, name);
        var image = TinyModels.Images(graph.Architecture, 1);
        using var reference = Compile(graph, KernelIsa.Reference, exact);
        var expected = ActivationLog.Of(reference, image)[ActivationKind.Logits, "logits"];
        foreach (var isa in Enum.GetValues<KernelIsa>())
        {
            using var model = Compile(graph, isa, exact);
            Assert.All(model.KernelNames, name => Assert.True(KernelName.TryParse(name, out var kernel) && kernel.Isa <= isa, name));
            var logits = ActivationLog.Of(model, image)[ActivationKind.Logits, "logits"];
            var allowed = format == WeightFormat.F32 ? Tolerance * expected.Max(MathF.Abs) : LogitTolerance * (expected.Max() - expected.Min());
            Assert.InRange(Golden.GoldenFiles.MaxDifference(expected, logits), 0, allowed);
        }
    }

    [Fact]
    public unsafe void A_quantised_layer_gives_the_bits_of_the_contract_on_every_instruction_set()
    {
        var random = new Random(4);
        foreach (var (m, n, k) in new[] { (1, 1, 1), (3, 17, 20), (24, 33, 37), (7, 65, 130) })
            foreach (var format in new[] { WeightFormat.S8, WeightFormat.P4, WeightFormat.P4P4, WeightFormat.P5 })
            {
                var dense = new Tensor(new(n, k), TinyModels.Normal(random, n * k, 0.1f));
                var layer = new Linear("x", LinearRole.Fc1, NearestQuantizer.Quantize(dense, format), new(new(n), TinyModels.Normal(random, n, 0.1f)));
                var x = TinyModels.Normal(random, m * k, 1);
                var expected = Bits(layer, x);
                foreach (var isa in Enum.GetValues<KernelIsa>())
                {
                    using var compiled = new CompiledLinear(layer, new KernelRegistry(isa), TunedChoices.None, headSize: 1);
                    using var scratch = new AlignedBuffer(compiled.ScratchBytes(m));
                    var y = new float[m * n];
                    fixed (float* px = x, py = y) compiled.Apply(px, m, py, n, Epilogue.Store, scratch.Pointer);
                    Assert.Equal(expected, y);
                }
            }
    }

    /// <summary>y[m,n] = (float)acc (sx sw[n]) + b[n], each operation rounded to float32 on its own.</summary>
    internal static float[] Bits(Linear layer, float[] x)
    {
        var weight = (QuantizedWeight)layer.Weight;
        var y = new List<float>();
        foreach (var row in x.Chunk(weight.Inputs))
        {
            var (q, scale) = ScalarModel.Quantize(row);
            var integers = new short[weight.Inputs];
            for (var n = 0; n < weight.Outputs; n++)
            {
                weight.Plane.DecodeRow(n, integers);
                float sum = q.Zip(integers, (a, b) => (long)a * b).Sum();
                var factor = scale * weight.Scales.Values[n];
                var product = sum * factor;
                y.Add(product + (layer.Bias?.Values[n] ?? 0));
            }
        }
        return [.. y];
    }
}
