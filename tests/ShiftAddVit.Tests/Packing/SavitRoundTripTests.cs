using System.Security.Cryptography;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Packing;

public sealed class SavitRoundTripTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public static TheoryData<WeightFormat> Formats => [.. Enum.GetValues<WeightFormat>()];

    public void Dispose() => _folder.Dispose();

    static VitGraph Model(WeightFormat format, VitArchitecture? architecture = null) =>
        LinearPass.Apply(TinyModels.Create(architecture, classNames: ["a", "\u732b", "\U0001F431", "gr\u00fcn", "\"quoted\"\\", "", "line\nbreak"]), format).Graph;

    PackedModel RoundTrip(VitGraph graph)
    {
        PackedModel.Pack(graph).Save(_folder["model.savit"]);
        return PackedModel.Load(_folder["model.savit"]);
    }

    static Dictionary<string, int[]> Bits(VitGraph graph)
    {
        var bits = new Dictionary<string, int[]>();
        graph.MapTensors((name, tensor) => { bits.Add($"{name} {tensor.Shape}", Of(tensor)); return tensor; });
        foreach (var linear in graph.Linears())
            if (linear.Weight is QuantizedWeight weight)
            {
                bits.Add($"{linear.Name} {weight.Format} {weight.Outputs}x{weight.Inputs}", [.. weight.Plane.Codes.ToArray()]);
                bits.Add($"{linear.Name} scales {weight.Scales.Shape}", Of(weight.Scales));
            }
        return bits;

        static int[] Of(Tensor tensor) => [.. tensor.Memory.ToArray().Select(BitConverter.SingleToInt32Bits)];
    }

    static void AssertSame(VitGraph expected, VitGraph actual)
    {
        Assert.Equal(expected.Architecture, actual.Architecture);
        Assert.Equal(expected.Preprocessing, actual.Preprocessing);
        Assert.Equal(expected.ClassNames, actual.ClassNames);
        Assert.Equal(expected.Provenance, actual.Provenance);
        Assert.Equal(expected.Linears().Select(l => (l.Name, l.Role, l.Bias is null)), actual.Linears().Select(l => (l.Name, l.Role, l.Bias is null)));
        Assert.Equal(Bits(expected), Bits(actual));
    }

    [Theory, MemberData(nameof(Formats))]
    public void Every_bit_survives(WeightFormat format)
    {
        var graph = Model(format);
        AssertSame(graph, RoundTrip(graph).Graph);
    }

    [Theory]
    [InlineData(true, true), InlineData(false, false), InlineData(true, false)]
    public void Every_kind_of_the_family_survives(bool distilled, bool qkvBias)
    {
        var graph = Model(WeightFormat.P4, TinyModels.Architecture with { DistillationToken = distilled, QkvBias = qkvBias, LayerNormEpsilon = 1e-12f });
        AssertSame(graph, RoundTrip(graph).Graph);
    }

    [Fact]
    public void What_is_unknown_stays_unknown()
    {
        var graph = TinyModels.Create() with { Preprocessing = null, ClassNames = [] };
        AssertSame(graph, RoundTrip(graph).Graph);
        AssertSame(Model(WeightFormat.F32) with { Preprocessing = new(30, 24, [0.1f, 0.2f, 0.3f], [0.4f, 0.5f, 0.6f]) }, RoundTrip(
            Model(WeightFormat.F32) with { Preprocessing = new(30, 24, [0.1f, 0.2f, 0.3f], [0.4f, 0.5f, 0.6f]) }).Graph);
    }

    [Fact]
    public void Signed_zeros_and_subnormals_survive()
    {
        var beta = new float[20];
        (beta[0], beta[1], beta[2], beta[3]) = (-0f, float.Epsilon, -float.MaxValue, 5.9604645e-8f);
        var graph = TinyModels.Create();
        graph = graph with { Norm = graph.Norm with { Beta = new(new(20), beta) } };
        AssertSame(graph, RoundTrip(graph).Graph);
    }

    [Fact]
    public void Parameters_are_F16_where_that_is_exact_and_F32_elsewhere()
    {
        var dense = Model(WeightFormat.P4P4);
        var encodings = PackedModel.Pack(dense).Planes.ToDictionary(plane => plane.Name, plane => plane.Encoding);
        Assert.Equal(PlaneEncoding.F32, encodings["pos_embed"]);
        Assert.Equal(PlaneEncoding.P4P4, encodings["blocks.1.mlp.fc2.weight"]);
        Assert.Equal(PlaneEncoding.F32, encodings["blocks.1.mlp.fc2.weight.scale"]);
        var rounded = RoundTrip(HalfPrecisionPass.Apply(dense).Graph).Planes;
        Assert.All(rounded, plane => Assert.Equal(plane.Name.EndsWith(".scale", StringComparison.Ordinal)
            ? PlaneEncoding.F32
            : Converted(plane.Name) ? PlaneEncoding.P4P4 : PlaneEncoding.F16, plane.Encoding));

        static bool Converted(string name) =>
            name.StartsWith("blocks", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal) && !name.Contains("norm", StringComparison.Ordinal);
    }

    [Fact]
    public void A_P5_weight_takes_five_bits_and_no_scales()
    {
        var packed = RoundTrip(Model(WeightFormat.P5));
        Assert.DoesNotContain(packed.Planes, plane => plane.Name.EndsWith(".scale", StringComparison.Ordinal));
        var fc1 = (QuantizedWeight)TinyModels.LinearsOf(packed.Graph.Blocks[0]).Fc1.Weight;
        Assert.Equal((37 * 13, 8.0 * 37 * 13 / (37 * 20)), (fc1.ByteLength, fc1.BitsPerWeight));
        Assert.Throws<ArgumentException>("scales", () => new QuantizedWeight(fc1.Plane, new(new(37), new float[37])));
        Assert.Throws<ArgumentException>("plane", () => new QuantizedWeight(WeightPlane.Encode(WeightFormat.S8, 1, 1, [1])));
    }

    [Fact]
    public void Equal_models_give_equal_bytes_and_others_another_hash()
    {
        var packed = PackedModel.Pack(Model(WeightFormat.P4));
        packed.Save(_folder["a.savit"]);
        PackedModel.Pack(Model(WeightFormat.P4)).Save(_folder["b.savit"]);
        PackedModel.Load(_folder["a.savit"]).Save(_folder["c.savit"]);
        var bytes = File.ReadAllBytes(_folder["a.savit"]);
        Assert.Equal(bytes, File.ReadAllBytes(_folder["b.savit"]));
        Assert.Equal(bytes, File.ReadAllBytes(_folder["c.savit"]));
        Assert.Equal(packed.Sha256, PackedModel.Load(_folder["a.savit"]).Sha256);
        Assert.Equal(packed.Sha256, Convert.ToHexStringLower(SHA256.HashData([.. bytes[..24], .. bytes[64..]])));
        Assert.Equal(bytes.Length, packed.ByteLength);
        Assert.NotEqual(packed.Sha256, PackedModel.Pack(Model(WeightFormat.P4) with { ClassNames = [] }).Sha256);
        Assert.NotEqual(packed.Sha256, PackedModel.Pack(TinyModels.Create(seed: 3)).Sha256);
    }

    [Fact]
    public void The_content_decides_what_is_opened_not_the_name()
    {
        PackedModel.Pack(TinyModels.Create()).Save(_folder["model.pth"]);
        Assert.True(PackedModel.IsPacked(_folder["model.pth"]));
        AssertSame(TinyModels.Create(), PackedModel.Open(_folder["model.pth"]).Graph);
        Models.CheckpointFiles.Write(_folder, "model.savit", TinyModels.Architecture);
        Assert.False(PackedModel.IsPacked(_folder["model.savit"]));
        Assert.Equal(2, PackedModel.Open(_folder["model.savit"], new(Heads: 2)).Graph.Architecture.Depth);
    }

    [Fact]
    public void A_model_whose_pre_processing_cannot_be_used_is_not_written()
    {
        var graph = TinyModels.Create();
        var broken = graph with { Preprocessing = graph.Preprocessing! with { Resize = 23 } };
        var error = Assert.Throws<ShiftAddVitException>(() => PackedModel.Pack(broken));
        Assert.Equal("tiny.safetensors: pre-processing: resize 23; allowed: 24..16384", error.Message);
    }

    [Fact]
    public void A_header_beyond_the_limit_is_not_written()
    {
        var graph = TinyModels.Create(classNames: [.. Enumerable.Repeat(new string('n', 3 << 20), 7)]);
        Assert.Contains("tiny.safetensors: class names", Assert.Throws<ShiftAddVitException>(() => PackedModel.Pack(graph)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_output_that_cannot_be_written_leaves_nothing_behind()
    {
        var packed = PackedModel.Pack(TinyModels.Create());
        Directory.CreateDirectory(_folder["taken"]);
        foreach (var path in new[] { _folder["taken"], _folder["absent/model.savit"] })
            Checkpoints.Refused.By(path, () => packed.Save(path));
        packed.Save(_folder["model.savit"]);
        packed.Save(_folder["model.savit"]);
        Assert.Equal(["model.savit", "taken"], Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order());
    }
}
