using System.Collections.Immutable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>Reads the architecture off the shapes of a checkpoint's tensors.</summary>
/// <param name="source">The file, for errors.</param>
/// <param name="shapeOf">The shape of a tensor by canonical name, or null.</param>
sealed class ArchitectureInference(string source, Func<string, Shape?> shapeOf)
{
    /// <summary>Channels of a head in every published ViT and DeiT.</summary>
    const int UsualHeadSize = 64;

    static ImmutableArray<string> Weights { get; } = ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"];

    /// <summary>The architecture at the resolution that the checkpoint was trained for.</summary>
    /// <param name="heads">H, or null for one head every 64 channels.</param>
    /// <param name="epsilon">The epsilon of the layer norms.</param>
    public VitArchitecture Infer(int? heads, float epsilon)
    {
        RequirePresent("patch_embed.proj.weight", "cls_token", "pos_embed", "blocks.0.mlp.fc1.weight", "head.weight");
        var patch = ShapeOf("patch_embed.proj.weight", 4);
        var positions = ShapeOf("pos_embed", 3);
        var width = patch[0];
        var distilled = shapeOf("dist_token") is not null;
        var architecture = new VitArchitecture(
            Side(positions[1] - (distilled ? 2 : 1)) * patch[3], patch[3], width, Depth(), heads ?? UsualHeads(width),
            ShapeOf("blocks.0.mlp.fc1.weight", 2)[0], ShapeOf("head.weight", 2)[0],
            shapeOf("blocks.0.attn.qkv.bias") is not null, distilled, epsilon);
        architecture.Validate(source);
        return architecture;
    }

    /// <summary>Blocks without a gap; one weight is enough for a block, so that the others can be reported as missing.</summary>
    int Depth()
    {
        var depth = 0;
        while (Weights.Any(name => shapeOf($"blocks.{depth}.{name}.weight") is not null)) depth++;
        return depth;
    }

    int Side(int patches)
    {
        var side = (int)Math.Round(Math.Sqrt(Math.Max(patches, 0)));
        return side > 0 && side * side == patches
            ? side
            : throw new ShiftAddVitException($"{source}: pos_embed has {patches} patches; only square grids are supported");
    }

    int UsualHeads(int width) => width % UsualHeadSize == 0
        ? width / UsualHeadSize
        : throw new ShiftAddVitException($"{source}: width {width} does not tell the number of heads; give --heads or --arch");

    void RequirePresent(params ReadOnlySpan<string> names)
    {
        var missing = new List<string>();
        foreach (var name in names)
            if (shapeOf(name) is null) missing.Add(name);
        if (missing.Count > 0) throw new ShiftAddVitException($"{source}: not a ViT or DeiT checkpoint: missing {string.Join(", ", missing)}");
    }

    Shape ShapeOf(string name, int rank)
    {
        var shape = shapeOf(name)!.Value;
        return shape.Rank == rank && shape.ElementCount > 0
            ? shape
            : throw new ShiftAddVitException($"{source}: {name} has shape {shape}; a shape of {rank} positive extents is needed");
    }
}
