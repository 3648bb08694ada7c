using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Inference;

/// <summary>Models with every form of binary attention and every rule of codes.</summary>
public class BinaryAttentionTests
{
    const int Batch = 3;

    /// <summary>Of float32 softmax and values, as a share of the row's largest magnitude; everything else has the bits of its definition.</summary>
    const double Tolerance = 1e-5;

    /// <summary>Heads of 64 channels, whose codes are made in registers, and heads that no vector fits.</summary>
    static VitArchitecture Architecture(bool wide, bool distilled) => TinyModels.Architecture with
    {
        ImageSize = 40, Width = wide ? 128 : 20, DistillationToken = distilled, QkvBias = wide,
    };

    /// <summary>With all extras, then with none.</summary>
    static IEnumerable<AttentionForm> Forms(int headSize) =>
        from kind in Enum.GetValues<AttentionKind>()
        from rule in AttentionForm.CodesOf(kind)
        let form = AttentionForm.Default(kind, headSize, rule)
        from plain in new[] { false, true }
        where !plain || form.KeyBias || form.CodeScales || form.Convolution
        select plain ? form with { KeyBias = false, CodeScales = false, Convolution = false } : form;

    public static TheoryData<KernelIsa, WeightFormat, bool> Cases
    {
        get
        {
            var data = new TheoryData<KernelIsa, WeightFormat, bool>();
            foreach (var isa in Enum.GetValues<KernelIsa>())
                foreach (var (format, exact) in new[] { (WeightFormat.F32, true), (WeightFormat.P4P4, true), (WeightFormat.P4P4, false) })
                    data.Add(isa, format, exact);
            return data;
        }
    }

    static VitGraph Model(VitArchitecture architecture, AttentionForm form, WeightFormat format)
    {
        var forms = BlockForms.Of(Enumerable.Repeat(new BlockForm { Attention = form }, architecture.Depth));
        var graph = TinyModels.Create(architecture with { Forms = forms }).MapTensors(
            (name, tensor) => name.EndsWith("hash.spread", StringComparison.Ordinal)
                ? new(tensor.Shape, [.. tensor.Memory.ToArray().Select(value => 1 + Math.Abs(value))]) : tensor);
        return LinearPass.Apply(graph, format).Graph;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Attention_has_the_bits_of_its_definition(KernelIsa isa, WeightFormat format, bool exact)
    {
        foreach (var wide in new[] { false, true })
        {
            var architecture = Architecture(wide, distilled: wide);
            foreach (var form in Forms(architecture.HeadSize))
            {
                var graph = Model(architecture, form, format);
                using var model = CompiledModel.Compile(graph, new() { Registry = new KernelRegistry(isa), Exact = exact });
                var seen = ActivationLog.Of(model, TinyModels.Images(architecture, 1));
                foreach (var block in graph.Blocks) AssertBlock(graph.Architecture, form, block, seen, model.Exact, isa);
            }
        }
    }

    static void AssertBlock(VitArchitecture a, AttentionForm form, Block block, ActivationLog seen, bool exact, KernelIsa isa)
    {
        var (qkv, projection, _, _) = TinyModels.LinearsOf(block);
        var normed = seen[ActivationKind.LinearInput, qkv.Name];
        var keyBias = block.Attention.Parameters.KeyBias;
        if (keyBias is not null && !exact) keyBias = keyBias with { Weight = NearestQuantizer.ByMagnitude(keyBias.Weight.ToFloat32()) };
        var betas = keyBias is null ? new float[a.Tokens * a.Heads] : Outputs(keyBias, normed);
        var expected = BinaryAttention.Run(a, form, block.Attention.Parameters, Outputs(qkv, normed), betas, exact);
        var actual = seen[ActivationKind.LinearInput, projection.Name];
        var tolerance = exact && form.Kind == AttentionKind.Quadratic ? Tolerance : 0;
        for (var i = 0; i < actual.Length; i++)
        {
            var largest = expected.AsSpan(i / a.Width * a.Width, a.Width).ToArray().Max(Math.Abs);
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * largest, $"{isa} {form}: {i / a.Width}, {i % a.Width}: {expected[i]} {actual[i]}");
        }
    }

    /// <summary>To the bit: of floats, inputs ascending and the bias last.</summary>
    static float[] Outputs(Linear layer, float[] x) => layer.Weight is QuantizedWeight ? LayerByLayerTests.Bits(layer, x) :
    [
        .. from row in x.Chunk(layer.Inputs)
           from n in Enumerable.Range(0, layer.Outputs)
           select Output(layer, row, n),
    ];

    static float Output(Linear layer, float[] x, int n)
    {
        var weights = ((DenseWeight)layer.Weight).Values.Values.Slice(n * x.Length, x.Length);
        var sum = 0f;
        for (var k = 0; k < x.Length; k++) sum = float.MultiplyAddEstimate(x[k], weights[k], sum);
        return layer.Bias is { } bias ? sum + bias.Values[n] : sum;
    }

    [Theory]
    [InlineData(WeightFormat.F32), InlineData(WeightFormat.P4P4)]
    public void The_output_of_an_image_depends_on_nothing_but_the_image_and_a_run_allocates_nothing(WeightFormat format)
    {
        foreach (var wide in new[] { false, true })
        {
            var architecture = Architecture(wide, distilled: true);
            var images = TinyModels.Images(architecture, Batch);
            var length = images.Length / Batch;
            foreach (var form in Forms(architecture.HeadSize))
            {
                using var model = CompiledModel.Compile(Model(architecture, form, format));
                // An observer sees the whole last block, so that nothing of it is left out.
                using var whole = model.CreateSession(new() { MaxBatch = 1, Observer = (in _) => { } });
                var alone = Enumerable.Range(0, Batch).SelectMany(i => whole.Run(images.AsSpan(i * length, length), 1)).ToArray();
                for (var threads = 1; threads <= 3; threads++)
                {
                    using var session = model.CreateSession(new() { MaxBatch = Batch, Threads = threads });
                    Assert.Equal(alone, session.Run(images, Batch));
                    var logits = new float[Batch * architecture.Classes];
                    session.Run(images, Batch, logits);
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    session.Run(images, Batch, logits);
                    Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
                    Assert.Equal(alone[..architecture.Classes], session.Run(images.AsSpan(0, length), 1));
                }
            }
        }
    }
}
