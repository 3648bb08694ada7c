using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests;

/// <summary>Small seeded models, so that the suite means something without real weights.</summary>
public static class TinyModels
{
    /// <summary>Widths that are no multiple of a vector, so that every kernel meets its tails.</summary>
    public static VitArchitecture Architecture { get; } = new(ImageSize: 24, PatchSize: 8, Width: 20, Depth: 2, Heads: 2, MlpWidth: 37, Classes: 7);

    /// <summary>
    /// Whole vectors and heads of a panel each, as in models that are used: what is generated for them alone runs on no other of these.
    /// </summary>
    public static VitArchitecture Wide { get; } = Architecture with { Width = 128, MlpWidth = 256 };

    /// <summary>By names, for theories.</summary>
    public static ImmutableDictionary<string, VitArchitecture> Architectures { get; } =
        ImmutableDictionary.CreateRange<string, VitArchitecture>([new("narrow", Architecture), new("wide", Wide)]);

    public static Provenance Provenance { get; } = new("tiny.safetensors", new string('0', 64), []);

    public static Dictionary<string, Tensor> Weights(VitArchitecture architecture, int seed = 1)
    {
        var random = new Random(seed);
        return architecture.Parameters().ToDictionary(p => p.Name, p => Random(random, p.Name, p.Shape));
    }

    public static VitGraph Create(VitArchitecture? architecture = null, int seed = 1, ImmutableArray<string> classNames = default)
    {
        architecture ??= Architecture;
        var preprocessing = new Preprocessing(null, architecture.ImageSize, Preprocessing.ImageNetMean, Preprocessing.ImageNetStd);
        return VitGraphBuilder.FromTensors(
            architecture, Weights(architecture, seed), preprocessing, classNames.IsDefault ? [] : classNames, Provenance);
    }

    /// <summary>The layers of a block without mixtures.</summary>
    public static (Linear Qkv, Linear Projection, Linear Fc1, Linear Fc2) LinearsOf(Block block)
    {
        var mlp = (Mlp)block.Mlp;
        return ((Linear)block.Attention.Qkv, (Linear)block.Attention.Projection, (Linear)mlp.Fc1, (Linear)mlp.Fc2);
    }

    public static float[] Images(VitArchitecture architecture, int batch, int seed = 2)
    {
        var random = new Random(seed);
        return Normal(random, batch * VitArchitecture.Channels * architecture.ImageSize * architecture.ImageSize, 1);
    }

    static Tensor Random(Random random, string name, Shape shape)
    {
        var isGain = name.Contains("norm", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal);
        var values = Normal(random, shape.ElementCount, isGain ? 0.1f : shape.Rank > 1 ? 0.2f : 0.05f);
        if (isGain) for (var i = 0; i < values.Length; i++) values[i] += 1;
        return new(shape, values);
    }

    public static float[] Normal(Random random, int count, float deviation)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = deviation * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }
}
