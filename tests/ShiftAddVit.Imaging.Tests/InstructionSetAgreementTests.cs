using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests;

namespace ShiftAddVit.Imaging.Tests;

/// <summary>
/// DeiT-Tiny of two shifts, whole and on photographs, on every instruction set that this processor has. Layers agree to the last bits of a
/// float (LayerByLayerTests); from end to end one rounding that flips cascades.
/// </summary>
public class InstructionSetAgreementTests
{
    /// <summary>Of the range of an image's logits.</summary>
    const float LogitTolerance = 0.05f;

    /// <summary>Of the images.</summary>
    const double SameTop1 = 0.985;

    /// <summary>The scalar kernels take seconds for an image.</summary>
    const int Images = 70, ImagesOfReference = 2;

    const int Classes = 1000;

    static float[] Logits(VitGraph graph, KernelIsa cap, float[] images, int count)
    {
        using var model = CompiledModel.Compile(graph, new() { Registry = new KernelRegistry(cap) });
        using var session = model.CreateSession(new() { MaxBatch = count, Threads = Environment.ProcessorCount });
        return session.Run(images.AsSpan(0, count * images.Length / Images), count);
    }

    static float[] Load(Preprocessing preprocessing)
    {
        var preprocessor = new ImagePreprocessor(preprocessing with { Resize = null });
        var images = new float[Images * preprocessor.Length];
        var set = LabeledImageSet.Open(RealData.Require("imagenet_val_1300"), Classes);
        for (var i = 0; i < Images; i++)
            preprocessor.Load(set.Items[i * set.Count / Images].Path, images.AsSpan(i * preprocessor.Length, preprocessor.Length));
        return images;
    }

    [Fact]
    public void The_model_agrees_between_all_instruction_sets()
    {
        var dense = VitLoader.Load(RealData.Require("deit_tiny_patch16_224.safetensors"));
        var graph = HalfPrecisionPass.Apply(LinearPass.Apply(dense, WeightFormat.P4P4).Graph).Graph;
        var images = Load(graph.RequirePreprocessing());
        var expected = Logits(graph, KernelIsa.Avx512Vnni, images, Images);
        foreach (var cap in Enum.GetValues<KernelIsa>())
        {
            var count = cap == KernelIsa.Reference ? ImagesOfReference : Images;
            AssertAgree($"{cap}", expected, Logits(graph, cap, images, count), count);
        }
    }

    static void AssertAgree(string cap, float[] expected, float[] actual, int count)
    {
        var same = 0;
        for (var image = 0; image < count; image++)
        {
            var (e, a) = (expected[(image * Classes)..((image + 1) * Classes)], actual[(image * Classes)..((image + 1) * Classes)]);
            var largest = e.Zip(a, (x, y) => MathF.Abs(x - y)).Max();
            Assert.True(largest <= LogitTolerance * (e.Max() - e.Min()), $"{cap}: image {image}: a logit differs by {largest}");
            if (Array.IndexOf(e, e.Max()) == Array.IndexOf(a, a.Max())) same++;
        }
        Assert.True(same >= SameTop1 * count, $"{cap}: the first class is the same on {same} of {count} images");
    }
}
