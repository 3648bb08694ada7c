using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Reports;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Reports;

public class ReportTests
{
    static readonly VitGraph Graph = TinyModels.Create();
    static readonly float[] Image = TinyModels.Images(Graph.Architecture, 1);

    public static TheoryData<WeightFormat> Formats => [.. Enum.GetValues<WeightFormat>()];

    [Theory, MemberData(nameof(Formats))]
    public void A_model_does_not_differ_from_itself(WeightFormat format)
    {
        using var model = CompiledModel.Compile(LinearPass.Apply(Graph, format).Graph);
        var differences = ModelComparison.Run(model, model, Image);
        Assert.Equal(1 + 1 + 2 * 5 + 1 + 1, differences.Length);
        Assert.All(differences, d => Assert.Equal((0, 0), (d.RelativeError, d.MaxDifference)));
        Assert.All(differences, d => Assert.Equal(1, d.Cosine, 1e-12));
    }

    [Fact]
    public void Differences_are_those_of_the_activations()
    {
        using var first = CompiledModel.Compile(Graph);
        using var second = CompiledModel.Compile(LinearPass.Apply(Graph, WeightFormat.P4).Graph);
        var logits = ModelComparison.Run(first, second, Image)[^1];
        using var one = first.CreateSession();
        using var two = second.CreateSession();
        var (a, b) = (one.Run(Image, 1), two.Run(Image, 1));
        var error = a.Zip(b, (x, y) => Math.Pow(x - (double)y, 2)).Sum();
        Assert.Equal((ActivationKind.Logits, "logits"), (logits.Kind, logits.Name));
        Assert.Equal(Math.Sqrt(error / a.Sum(x => (double)x * x)), logits.RelativeError, 1e-9);
        Assert.Equal(a.Zip(b, (x, y) => Math.Abs(x - (double)y)).Max(), logits.MaxDifference, 1e-9);
        Assert.Equal(a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x)), logits.Cosine, 1e-9);
        Assert.True(logits.RelativeError > 0);
    }

    [Fact]
    public void Models_of_other_shapes_are_not_compared()
    {
        using var first = CompiledModel.Compile(Graph);
        using var other = CompiledModel.Compile(TinyModels.Create(Graph.Architecture with { MlpWidth = 36 }));
        using var sameShape = CompiledModel.Compile(TinyModels.Create(Graph.Architecture with { LayerNormEpsilon = 1e-12f }));
        Assert.Contains("differ in shape", Assert.Throws<ShiftAddVitException>(() => ModelComparison.Run(first, other, Image)).Message, StringComparison.Ordinal);
        Assert.NotEmpty(ModelComparison.Run(first, sameShape, Image));
    }

    [Theory, MemberData(nameof(Formats))]
    public void The_tree_adds_up_to_the_planes_of_the_file(WeightFormat format)
    {
        var graph = LinearPass.Apply(TinyModels.Create(Graph.Architecture with { DistillationToken = true }), format).Graph;
        if (format == WeightFormat.P4) graph = HalfPrecisionPass.Apply(graph).Graph;
        var packed = PackedModel.Pack(graph);
        var root = ModelTree.Of(packed);
        Assert.Equal(ParameterBytes(graph), root.Bytes);
        // Beyond the parameters a file has its prologue, its header and less than 64 bytes of padding a plane.
        Assert.InRange(packed.ByteLength - root.Bytes, 64, 64 * (packed.Planes.Length + 2) + 40 * 128);
        Assert.Equal(["embedding", "blocks.0", "blocks.1", "norm", "head", "head_dist"], root.Children.Select(child => child.Name));
        AssertSums(root);
        var fc1 = root.Children[1].Children.Single(child => child.Name == "mlp.fc1");
        Assert.Equal(("37x20", format.ToString()), (fc1.Shape, fc1.Format));
        Assert.Equal(format == WeightFormat.P4 ? "F16" : "F32", root.Children[0].Children[^1].Format);
    }

    static long ParameterBytes(VitGraph graph)
    {
        long bytes = 0;
        graph.MapTensors((_, tensor) => { bytes += (HalfPrecision.IsExact(tensor.Values) ? 2 : 4) * tensor.Shape.ElementCount; return tensor; });
        foreach (var linear in graph.Linears())
            if (linear.Weight is QuantizedWeight weight) bytes += weight.Plane.Codes.Length + (weight.Format == WeightFormat.P5 ? 0 : 4 * weight.Outputs);
        return bytes;
    }

    static void AssertSums(ModelNode node)
    {
        if (node.Children.Length == 0) return;
        Assert.Equal((null, null, node.Children.Sum(child => child.Bytes)), (node.Shape, node.Format, node.Bytes));
        foreach (var child in node.Children) AssertSums(child);
    }

    [Fact]
    public void The_processor_has_a_name_in_one_line()
    {
        Assert.NotEmpty(Processor.Name.Trim());
        Assert.DoesNotContain(Processor.Name, char.IsControl);
    }
}
