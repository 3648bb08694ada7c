using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Reparameterization;

public class AttentionPassTests
{
    static readonly VitGraph Softmax = TinyModels.Create();
    static readonly int HeadSize = Softmax.Architecture.HeadSize;

    public static TheoryData<AttentionKind, CodeRule> Forms => [.. AllForms()];

    static IEnumerable<(AttentionKind, CodeRule)> AllForms() =>
        from kind in Enum.GetValues<AttentionKind>() from codes in AttentionForm.CodesOf(kind) select (kind, codes);

    static VitGraph Convert(AttentionForm form) => AttentionPass.Apply(Softmax, form, LayerSelection.All).Graph;

    [Theory, MemberData(nameof(Forms))]
    public void A_form_brings_the_parameters_that_the_architecture_says(AttentionKind kind, CodeRule codes)
    {
        var graph = Convert(AttentionForm.Default(kind, HeadSize, codes));
        graph.Architecture.Validate("test");
        var names = new HashSet<string>();
        graph.MapTensors((name, tensor) => { names.Add(name); return tensor; });
        Assert.Equal(graph.Architecture.Parameters().Select(it => it.Name).Order(), names.Order());
    }

    [Theory, MemberData(nameof(Forms))]
    public void Layers_stay_as_they_are(AttentionKind kind, CodeRule codes)
    {
        var result = AttentionPass.Apply(Softmax, AttentionForm.Default(kind, HeadSize, codes), LayerSelection.All);
        foreach (var (before, after) in Softmax.Blocks.Zip(result.Graph.Blocks))
        {
            Assert.Same(TinyModels.LinearsOf(before).Qkv.Weight, TinyModels.LinearsOf(after).Qkv.Weight);
            Assert.Same(before.Attention.Projection, after.Attention.Projection);
            Assert.Same(before.Mlp, after.Mlp);
        }
        Assert.Equal(["blocks.0.attn", "blocks.1.attn"], result.Changes.Select(change => change.Layer));
        Assert.StartsWith($"attention {kind} {codes}".ToLowerInvariant(), result.Graph.Provenance.Steps[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void The_first_block_keeps_its_softmax_beside_linear_attention()
    {
        var taylor = AttentionPass.Apply(Softmax, AttentionForm.Default(AttentionKind.Taylor, HeadSize)).Graph.Architecture.Forms;
        Assert.Equal([AttentionKind.Softmax, AttentionKind.Taylor], [taylor[0].Attention.Kind, taylor[1].Attention.Kind]);
        var quadratic = AttentionPass.Apply(Softmax, AttentionForm.Default(AttentionKind.Quadratic, HeadSize)).Graph.Architecture.Forms;
        Assert.Equal(AttentionKind.Quadratic, quadratic[0].Attention.Kind);
    }

    [Fact]
    public void A_projection_without_bias_gets_one_for_its_thresholds()
    {
        var graph = TinyModels.Create(TinyModels.Architecture with { QkvBias = false });
        var qkv = TinyModels.LinearsOf(AttentionPass.Apply(graph, AttentionForm.Default(AttentionKind.Taylor, HeadSize)).Graph.Blocks[1]).Qkv;
        Assert.Equal(new float[qkv.Outputs], qkv.Bias!.Memory.ToArray());
    }

    [Fact]
    public void Hashes_are_the_same_each_time_and_their_anchors_have_length_1()
    {
        var form = AttentionForm.Default(AttentionKind.EcoFormer, HeadSize);
        var (hash, again) = (Convert(form).Blocks[1].Attention.Parameters.Hash!, Convert(form).Blocks[1].Attention.Parameters.Hash!);
        Assert.Equal(hash.Anchors.Memory.ToArray(), again.Anchors.Memory.ToArray());
        Assert.Equal(hash.Projection.Memory.ToArray(), again.Projection.Memory.ToArray());
        Assert.All(hash.Anchors.Memory.ToArray().Chunk(HeadSize), anchor => Assert.Equal(1, anchor.Sum(x => (double)x * x), 1e-5));
    }

    [Fact]
    public void Softmax_changes_nothing() => Assert.Same(Softmax, AttentionPass.Apply(Softmax, AttentionForm.Softmax).Graph);

    [Fact]
    public void Layers_may_be_quantised_before_or_after()
    {
        var form = AttentionForm.Default(AttentionKind.Taylor, HeadSize);
        var before = AttentionPass.Apply(LinearPass.Apply(Softmax, WeightFormat.P4).Graph, form).Graph;
        var after = LinearPass.Apply(AttentionPass.Apply(Softmax, form).Graph, WeightFormat.P4).Graph;
        Assert.Equal(before.Linears().Select(linear => (linear.Name, linear.Weight.Format)), after.Linears().Select(linear => (linear.Name, linear.Weight.Format)));
    }

    [Fact]
    public void A_second_conversion_and_an_empty_selection_are_refused()
    {
        var form = AttentionForm.Default(AttentionKind.Taylor, HeadSize);
        Refuses("tiny.safetensors: blocks.1 has taylor sign 10", () => AttentionPass.Apply(Convert(form), AttentionForm.Default(AttentionKind.Quadratic, HeadSize), new(["blocks.1.attn"], [])));
        Refuses("no block is selected", () => AttentionPass.Apply(Softmax, form, new(["fc1"], [])));
    }

    [Theory]
    [InlineData(AttentionKind.Quadratic, CodeRule.Ksh, 16, "it takes sign and quant")]
    [InlineData(AttentionKind.EcoFormer, CodeRule.Sign, 10, "it takes ksh")]
    [InlineData(AttentionKind.Taylor, CodeRule.Sign, 16, "codes of 16 bits for heads of 10 channels; allowed: 10")]
    [InlineData(AttentionKind.Angular, CodeRule.Ksh, 65, "hashes of 65 bits; allowed: 1..64")]
    [InlineData(AttentionKind.Angular, CodeRule.Ksh, 0, "hashes of 0 bits; allowed: 1..64")]
    public void Codes_that_do_not_fit_are_refused(AttentionKind kind, CodeRule codes, int bits, string problem) =>
        Refuses(problem, () => Convert(new(kind, codes, bits, KeyBias: false, CodeScales: false, Convolution: false)));

    [Fact]
    public void Extras_that_a_form_does_not_have_are_refused()
    {
        var (angular, quadratic) = (AttentionForm.Default(AttentionKind.Angular, HeadSize), AttentionForm.Default(AttentionKind.Quadratic, HeadSize));
        Refuses("angular attention has no key bias", () => Convert(angular with { KeyBias = true }));
        Refuses("angular attention has no code scales", () => Convert(angular with { CodeScales = true }));
        Refuses("quadratic attention has no convolution", () => Convert(quadratic with { Convolution = true }));
    }

    static void Refuses(string problem, Func<object> action) =>
        Assert.Contains(problem, Assert.Throws<ShiftAddVitException>(action).Message, StringComparison.Ordinal);
}
