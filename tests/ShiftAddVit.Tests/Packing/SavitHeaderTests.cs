using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Packing;

/// <summary>Headers and planes that say something wrong under a checksum that is right.</summary>
public sealed class SavitHeaderTests : IDisposable
{
    const string Fc1 = "blocks.0.mlp.fc1.weight";

    static readonly SavitBytes Good = SavitBytes.Of(WeightFormat.P4);

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    void Refuses(SavitBytes file, params string[] words)
    {
        File.WriteAllBytes(_folder["model.savit"], file.Bytes);
        Refused.By(_folder["model.savit"], () => PackedModel.Load(_folder["model.savit"]), words);
    }

    static JsonArray Planes(JsonObject header) => header["planes"]!.AsArray();

    static int IndexOf(JsonObject header, string plane) => Planes(header).ToList().FindIndex(node => (string)node!["name"]! == plane);

    [Fact]
    public void A_header_written_again_loads()
    {
        File.WriteAllBytes(_folder["model.savit"], Good.WithHeader(_ => { }).Bytes);
        Assert.Equal(TinyModels.Architecture, PackedModel.Load(_folder["model.savit"]).Graph.Architecture);
    }

    [Theory]
    [InlineData("architecture"), InlineData("preprocessing"), InlineData("classNames"), InlineData("provenance"), InlineData("planes")]
    public void A_missing_member_is_refused(string member) => Refuses(Good.WithHeader(header => header.Remove(member)), "header");

    [Theory]
    [InlineData("architecture", "width"), InlineData("preprocessing", "std"), InlineData("provenance", "steps")]
    public void A_missing_inner_member_is_refused(string outer, string inner) =>
        Refuses(Good.WithHeader(header => header[outer]!.AsObject().Remove(inner)), "header");

    [Fact]
    public void An_unknown_member_is_refused()
    {
        Refuses(Good.WithHeader(header => header["command"] = "x"), "header is damaged");
        Refuses(Good.WithHeader(header => header["architecture"]!["flavour"] = 1), "header is damaged");
    }

    [Fact]
    public void A_member_that_occurs_twice_is_refused() =>
        Refuses(Good.WithHeader(Good.Header.Insert(1, "\"classNames\":[],")), "header is damaged");

    [Theory]
    [InlineData("architecture"), InlineData("classNames"), InlineData("provenance"), InlineData("planes")]
    public void Null_is_refused(string member) => Refuses(Good.WithHeader(header => header[member] = null), "header");

    [Fact]
    public void Null_in_a_list_is_refused()
    {
        Refuses(Good.WithHeader(header => Planes(header)[3] = null), "header is damaged");
        Refuses(Good.WithHeader(header => header["classNames"] = new JsonArray("a", null, "c", "d", "e", "f", "g")), "header is damaged");
        Refuses(Good.WithHeader(header => header["provenance"]!["steps"] = new JsonArray("a", null)), "header is damaged");
    }

    [Theory]
    [InlineData("\"width\":20", "\"width\":\"20\""), InlineData("\"width\":20", "\"width\":20.5"), InlineData("\"width\":20", "\"width\":99999999999")]
    [InlineData("\"width\":20", "\"width\":NaN"), InlineData("\"encoding\":\"P4\"", "\"encoding\":\"P3\""), InlineData("\"encoding\":\"P4\"", "\"encoding\":9")]
    [InlineData("\"encoding\":\"P4\"", "\"encoding\":null"), InlineData("\"classNames\":[]", "\"classNames\":[[]]"), InlineData("{", "["), InlineData("]}", "]")]
    [InlineData("{\"architecture\"", "null {\"architecture\""), InlineData("\"classNames\":[]", "\"classNames\":[],")]
    public void Values_of_another_type_are_refused(string before, string after)
    {
        var place = Good.Header.IndexOf(before, StringComparison.Ordinal);
        Assert.True(place >= 0, before);
        Refuses(Good.WithHeader(Good.Header[..place] + after + Good.Header[(place + before.Length)..]));
    }

    [Fact]
    public void Lists_nested_without_end_are_refused() => Refuses(Good.WithHeader(new string('[', 100_000)), "header is damaged");

    [Theory]
    [InlineData("imageSize", 1000000000, "image size"), InlineData("width", 1000000000, "width"), InlineData("depth", 2000000000, "depth")]
    [InlineData("mlpWidth", 2000000000, "MLP width"), InlineData("classes", 2000000000, "classes"), InlineData("heads", 3, "3 heads")]
    [InlineData("width", 8000, "where its planes need"), InlineData("mlpWidth", 65536, "where its planes need"), InlineData("depth", 256, "is missing")]
    [InlineData("classes", 1000000, "where its planes need"), InlineData("imageSize", 1600, "where its planes need")]
    public void Huge_numbers_allocate_nothing(string member, int value, string words)
    {
        var file = Good.WithHeader(header =>
        {
            header["architecture"]![member] = value;
            header["preprocessing"] = null;
        });
        File.WriteAllBytes(_folder["model.savit"], file.Bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused.By(_folder["model.savit"], () => PackedModel.Load(_folder["model.savit"]), words);
        // Names and shapes of 256 blocks take about 1 MB; one wrongly believed plane would take 20 MB and more.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
    }

    [Fact]
    public void A_plane_beyond_the_memory_of_an_array_is_refused() => Refuses(Good.WithHeader(header =>
    {
        foreach (var (member, value) in new[] { ("width", 8192), ("patchSize", 256), ("imageSize", 256) }) header["architecture"]![member] = value;
        header["preprocessing"] = null;
    }), "patch_embed.proj.weight takes 6442450944 bytes; allowed: at most 2147483591");

    [Fact]
    public void Planes_that_do_not_belong_are_named()
    {
        Refuses(Good.WithHeader(header => Planes(header)[0]!["name"] = "evil\nname"), "unknown plane 'evil?name'");
        Refuses(Good.WithHeader(header => Planes(header)[0]!["name"] = new string('x', 10_000)), "unknown plane 'xxx");
        Refuses(Good.WithHeader(header => Planes(header)[0]!["name"] = ".scale"), "unknown plane");
        Refuses(Good.WithHeader(header => Planes(header).Add(Planes(header)[2]!.DeepClone())), "occurs twice");
        Refuses(Good.WithHeader(header => Planes(header).RemoveAt(2)), "is missing");
        Refuses(Good.WithHeader(header => Planes(header).RemoveAt(IndexOf(header, Fc1 + ".scale"))), Fc1 + ".scale is missing");
        Refuses(Good.WithHeader(header => Planes(header).RemoveAt(IndexOf(header, Fc1))), "is missing");
        Refuses(Good.WithHeader(header => Planes(header).Add(new JsonObject { ["name"] = "head.weight.scale", ["encoding"] = "F32" })), "belongs to no quantised weight");
    }

    [Theory]
    [InlineData("norm.weight", "P4"), InlineData("pos_embed", "S8"), InlineData("head.bias", "P4P4"), InlineData(Fc1 + ".scale", "S8"), InlineData("cls_token", "P4")]
    public void Only_weights_can_be_integers(string plane, string encoding) =>
        Refuses(Good.WithHeader(header => Planes(header)[IndexOf(header, plane)]!["encoding"] = encoding), $"{plane} cannot be {encoding}");

    [Theory]
    [InlineData(float.NaN, "not finite"), InlineData(float.PositiveInfinity, "not finite"), InlineData(0f, "not positive"), InlineData(-1f, "not positive")]
    public void Scales_must_be_finite_and_positive(float scale, string words) =>
        Refuses(Good.WithPlaneBytes(Fc1 + ".scale", MemoryMarshal.AsBytes([scale])), Fc1 + ".scale", words);

    [Fact]
    public void Parameters_must_be_finite() =>
        Refuses(Good.WithPlaneBytes("head.bias", MemoryMarshal.AsBytes([float.NegativeInfinity])), "head.bias", "not finite");

    [Theory]
    [InlineData(WeightFormat.P4, 0x80), InlineData(WeightFormat.P4, 0x08), InlineData(WeightFormat.P4P4, 0x11), InlineData(WeightFormat.P4P4, 0x21)]
    [InlineData(WeightFormat.P4P4, 0x77), InlineData(WeightFormat.P4P4, 0x10), InlineData(WeightFormat.S8, 0x80)]
    public void Codes_must_be_canonical(WeightFormat format, byte code) =>
        Refuses(SavitBytes.Of(format).WithPlaneBytes(Fc1, [code]), Fc1, "weight 0,", "is not canonical");

    [Fact]
    public void The_padding_of_an_odd_row_must_be_0()
    {
        // A row of fc2 has 37 inputs: the last byte of a row of 19 holds one code.
        var row = LinearRow();
        row[18] |= 0x10;
        Refuses(Good.WithPlaneBytes("blocks.0.mlp.fc2.weight", row), "blocks.0.mlp.fc2.weight", "padding bits");

        static byte[] LinearRow() => Good.Bytes.AsSpan(Good.OffsetOf("blocks.0.mlp.fc2.weight"), 19).ToArray();
    }

    [Fact]
    public void A_file_of_P5_holds_no_scales_and_is_looked_at_code_by_code()
    {
        var good = SavitBytes.Of(WeightFormat.P5);
        var scale = new JsonObject { ["name"] = Fc1 + ".scale", ["encoding"] = "F32" };
        Refuses(good.WithHeader(header => Planes(header).Add(scale)), Fc1 + ".scale belongs to no quantised weight");
        // Code 3 of a row lies in bits 15 to 19, across bytes 1 and 2; its sign alone is bit 19.
        Refuses(good.WithPlaneBytes(Fc1, [0, 0, 8]), Fc1, "weight 0,3 is not canonical");
        // A row of fc2 has 37 inputs, 185 bits: seven of its 24 bytes are left over.
        Refuses(good.WithPlaneBytes("blocks.0.mlp.fc2.weight", [.. new byte[23], 2]), "blocks.0.mlp.fc2.weight", "row 0 has padding bits");
    }

    [Theory]
    [InlineData("crop", 23), InlineData("resize", 23), InlineData("resize", 20000)]
    public void Pre_processing_must_fit_the_model(string member, int value) =>
        Refuses(Good.WithHeader(header => header["preprocessing"]![member] = value), "pre-processing", member);

    [Fact]
    public void Class_names_must_be_one_for_each_class() =>
        Refuses(Good.WithHeader(header => header["classNames"] = new JsonArray("a", "b")), "class names");
}
