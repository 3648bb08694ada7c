using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Models;

public sealed class PreprocessingInferenceTests : IDisposable
{
    static readonly VitArchitecture Tiny192 = new(32, 16, 192, 1, 3, 8, 3);
    static readonly ImmutableArray<float> SomeMean = [0.1f, 0.2f, 0.3f], SomeStd = [0.4f, 0.5f, 0.6f];

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string File(string name = "weights.safetensors") => CheckpointFiles.Write(_folder, name, Tiny192);

    Preprocessing? Of(string name, LoadOptions? options = null) => VitLoader.Load(File(name), options).Preprocessing;

    [Fact]
    public void Nothing_is_assumed_where_nothing_is_said()
    {
        var path = File();
        var graph = VitLoader.Load(path);
        Assert.Null(graph.Preprocessing);
        Refused.By("weights.safetensors", () => graph.RequirePreprocessing(), "--arch", "--mean and --std");
    }

    [Theory]
    [InlineData("deit_tiny_patch16_224.safetensors"), InlineData("deit_tiny_patch16_224-a1311bcf.pth"), InlineData("deit-tiny-patch16-224.bin")]
    [InlineData("deit_tiny_patch16_224.fb_in1k.safetensors"), InlineData("my_DeiT_tiny_patch16_224.pt")]
    public void The_file_name_of_a_published_DeiT_tells_its_recipe(string name) =>
        Assert.Equal(new(37, 32, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd), Of(name));

    [Theory]
    [InlineData("vit_tiny_patch16_224.safetensors"), InlineData("vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors")]
    public void The_file_name_of_a_published_ViT_tells_its_recipe(string name) =>
        Assert.Equal(new(35, 32, Preprocessing.Half, Preprocessing.Half), Of(name));

    [Theory]
    [InlineData("vit_tiny_patch16_224.dino.safetensors"), InlineData("vit_tiny_patch16_224_miil.pth"), InlineData("deit3_tiny_patch16_224.pth")]
    [InlineData("deit_tiny_patch16_2240.pth"), InlineData("deit_tiny.pth"), InlineData("deit_small_patch16_224.pth")]
    public void Other_recipes_under_similar_names_are_not_guessed(string name) => Assert.Null(Of(name));

    [Theory]
    [InlineData("deit_tiny_patch16_224", 256, 224), InlineData("deit_base_distilled_patch16_384", 384, 384)]
    [InlineData("vit_small_patch32_224", 248, 224), InlineData("vit_base_patch8_384", 384, 384)]
    public void Known_names_carry_resize_and_crop(string name, int resize, int crop)
    {
        var known = KnownArchitecture.Find(name)!.Preprocessing;
        Assert.Equal((resize, crop), (known.Resize, known.Crop));
        Assert.Equal(name.StartsWith("deit", StringComparison.Ordinal) ? Preprocessing.ImageNetMean : Preprocessing.Half, known.Mean);
    }

    [Fact]
    public void Known_names_are_distinct_and_their_heads_have_64_channels()
    {
        Assert.Equal(KnownArchitecture.All.Length, KnownArchitecture.All.Select(known => known.Name).Distinct().Count());
        Assert.All(KnownArchitecture.All, known => Assert.Equal(64 * known.Heads, known.Width));
        Assert.All(KnownArchitecture.All, known => Assert.Same(known, KnownArchitecture.FindIn(known.Name + ".safetensors")));
        Assert.Null(KnownArchitecture.Find("deit_tiny"));
    }

    [Fact]
    public void A_named_architecture_comes_before_the_hub_and_the_hub_before_the_file_name()
    {
        var path = File("vit_tiny_patch16_224/model.safetensors");
        System.IO.File.WriteAllText(_folder["vit_tiny_patch16_224/preprocessor_config.json"],
            """{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6], "size": 32, "crop_size": 32, "do_center_crop": true, "resample": 3}""");
        Assert.Equal(new(32, 32, SomeMean, SomeStd), VitLoader.Load(path).Preprocessing);
        Assert.Equal(Preprocessing.ImageNetMean, VitLoader.Load(path, new(Architecture: "deit_tiny_patch16_224")).Preprocessing!.Mean);
    }

    [Fact]
    public void Mean_and_deviation_of_the_caller_come_first_and_keep_the_sides_known()
    {
        var options = new LoadOptions(Mean: SomeMean, Std: SomeStd);
        // 32 * 256 / 224 is 36.57: the usual recipe at 32 pixels. The published ViT resizes 224 to 248.
        Assert.Equal(new(37, 32, SomeMean, SomeStd), Of("weights.safetensors", options));
        Assert.Equal(new(35, 32, SomeMean, SomeStd), Of("vit_tiny_patch16_224.pth", options));
    }

    [Fact]
    public void Mean_and_deviation_go_together()
    {
        var path = File();
        Refused.By("--mean", () => VitLoader.Load(path, new(Mean: SomeMean)), "--std go together");
        Refused.By("--std", () => VitLoader.Load(path, new(Std: SomeStd)), "--mean", "go together");
    }

    [Fact]
    public void Another_crop_keeps_the_ratio_of_the_sides() =>
        Assert.Equal(new(73, 64, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd), Of("deit_tiny_patch16_224.pth", new(Crop: 64)));

    [Theory]
    [InlineData("crop", "crop 33"), InlineData("small", "resize 31; allowed: 32..16384"), InlineData("large", "resize 16385")]
    [InlineData("mean", "mean: three finite numbers"), InlineData("two", "mean: three finite numbers"), InlineData("std", "std: three positive numbers")]
    public void Numbers_that_cannot_be_used_are_refused(string what, string words)
    {
        var good = new Preprocessing(36, 32, SomeMean, SomeStd);
        good.Validate("f.pth", 32);
        (good with { Resize = null }).Validate("f.pth", 32);
        var bad = what switch
        {
            "crop" => good with { Crop = 33 },
            "small" => good with { Resize = 31 },
            "large" => good with { Resize = 16385 },
            "mean" => good with { Mean = [0, float.NaN, 0] },
            "two" => good with { Mean = [0, 0] },
            _ => good with { Std = [1, 0, 1] },
        };
        Refused.By("f.pth: pre-processing", () => bad.Validate("f.pth", 32), words);
    }
}
