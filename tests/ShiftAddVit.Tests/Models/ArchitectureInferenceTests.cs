using ShiftAddVit.Models;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Models;

public class ArchitectureInferenceTests
{
    public static TheoryData<int, int, int, bool, bool> Family
    {
        get
        {
            var data = new TheoryData<int, int, int, bool, bool>();
            foreach (var (width, heads) in new[] { (192, 3), (384, 6), (768, 12) })
                foreach (var patch in new[] { 8, 16, 32 })
                    foreach (var (distilled, bias) in new[] { (false, true), (true, true), (false, false), (true, false) })
                        data.Add(width, heads, patch, distilled, bias);
            return data;
        }
    }

    static VitArchitecture Infer(Dictionary<string, Shape> shapes, int? heads = null) =>
        new ArchitectureInference("f.pth", name => shapes.TryGetValue(name, out var shape) ? shape : null).Infer(heads, VitArchitecture.TimmEpsilon);

    static Dictionary<string, Shape> Shapes(VitArchitecture architecture) => architecture.Parameters().ToDictionary();

    static void Refuses(Dictionary<string, Shape> shapes, params string[] words) => Refused.By("f.pth", () => Infer(shapes), words);

    [Theory, MemberData(nameof(Family))]
    public void Shapes_tell_the_architecture(int width, int heads, int patch, bool distilled, bool qkvBias)
    {
        foreach (var side in new[] { 224, 384 })
        {
            var expected = new VitArchitecture(side, patch, width, 12, heads, 4 * width, 1000, qkvBias, distilled);
            Assert.Equal(expected, Infer(Shapes(expected)));
        }
    }

    [Fact]
    public void Other_depths_hidden_widths_and_class_counts_are_read_off()
    {
        var expected = new VitArchitecture(96, 16, 128, 5, 2, 300, 17);
        Assert.Equal(expected, Infer(Shapes(expected)));
    }

    [Fact]
    public void The_number_of_heads_can_be_said() => Assert.Equal(4, Infer(Shapes(TinyModels.Architecture), heads: 4).Heads);

    [Fact]
    public void A_width_that_is_no_multiple_of_64_needs_the_number_of_heads() =>
        Refuses(Shapes(TinyModels.Architecture), "width 20", "--heads", "--arch");

    [Theory]
    [InlineData(0, "allowed"), InlineData(3, "3 heads do not divide the width 20"), InlineData(-1, "-1 heads")]
    [InlineData(40, "40 heads do not divide the width 20")]
    public void Heads_that_do_not_divide_the_width_are_refused(int heads, string words)
    {
        if (heads == 0) words = "0 heads";
        Refused.By("f.pth", () => Infer(Shapes(TinyModels.Architecture), heads), words);
    }

    [Theory]
    [InlineData(1 + 12), InlineData(1), InlineData(0), InlineData(1 + 9 + 1)]
    public void Grids_that_are_not_square_are_refused(int positions)
    {
        var shapes = Shapes(new(48, 16, 64, 1, 1, 64, 3));
        shapes["pos_embed"] = new(1, positions, 64);
        Refuses(shapes, "pos_embed");
    }

    [Fact]
    public void Tensors_that_tell_the_architecture_are_named_when_missing()
    {
        var shapes = Shapes(new(48, 16, 64, 1, 1, 64, 3));
        shapes.Remove("cls_token");
        shapes.Remove("head.weight");
        Refuses(shapes, "missing cls_token, head.weight");
    }

    [Theory]
    [InlineData("patch_embed.proj.weight", "64x768", "4 positive extents"), InlineData("pos_embed", "10x64", "3 positive extents")]
    [InlineData("blocks.0.mlp.fc1.weight", "4096", "2 positive extents"), InlineData("head.weight", "0x64", "2 positive extents")]
    public void Tensors_of_another_rank_or_without_elements_are_named(string name, string shape, string allowed)
    {
        var shapes = Shapes(new(48, 16, 64, 1, 1, 64, 3));
        shapes[name] = new([.. shape.Split('x').Select(int.Parse)]);
        Refuses(shapes, name, shape, allowed);
    }

    [Fact]
    public void An_image_size_beyond_the_limits_is_refused()
    {
        var shapes = Shapes(new(48, 16, 64, 1, 1, 64, 3));
        shapes["pos_embed"] = new(1, 1 + 257 * 257, 64);
        Refuses(shapes, "image size 4112", "1..4096");
    }

    [Theory]
    [InlineData("ImageSize", "image size 0"), InlineData("PatchSize", "patch size 300"), InlineData("Multiple", "not a multiple")]
    [InlineData("Width", "width 8200"), InlineData("Depth", "depth 257"), InlineData("Mlp", "MLP width 65537"), InlineData("Classes", "0 classes")]
    [InlineData("Head", "at most 2^31 - 1 weights"), InlineData("Epsilon", "epsilon"), InlineData("Tokens", "at most 65536")]
    public void Numbers_out_of_range_are_refused(string what, string words)
    {
        var good = TinyModels.Architecture;
        good.Validate("f.pth");
        var bad = what switch
        {
            "ImageSize" => good with { ImageSize = 0 },
            "PatchSize" => good with { PatchSize = 300, ImageSize = 300 },
            "Multiple" => good with { ImageSize = 25 },
            "Width" => good with { Width = 8200 },
            "Depth" => good with { Depth = 257 },
            "Mlp" => good with { MlpWidth = 65537 },
            "Classes" => good with { Classes = 0 },
            "Head" => good with { Classes = 1_000_000, Width = 8192 },
            "Epsilon" => good with { LayerNormEpsilon = float.NaN },
            _ => good with { ImageSize = 4096, PatchSize = 8 },
        };
        Refused.By("f.pth", () => bad.Validate("f.pth"), words);
    }
}
