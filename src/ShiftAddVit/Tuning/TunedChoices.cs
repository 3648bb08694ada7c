using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>What was found fastest on this machine. It never changes a result: kernels of one operation agree to the bit. Immutable.</summary>
/// <param name="Kernels">The kernel of a shape; one that is unknown or may not run here is passed over.</param>
/// <param name="RowBlocks">The rows of a block, <see cref="RowChain.LeastRows"/> to <see cref="RowChain.MostRows"/>.</param>
/// <param name="Splits">How attention is cut, within the bounds of <see cref="AttentionSplit"/>.</param>
public sealed record TunedChoices(
    ImmutableDictionary<LinearShape, KernelName> Kernels, ImmutableDictionary<RowChain, int> RowBlocks,
    ImmutableDictionary<AttentionShape, AttentionSplit> Splits)
{
    /// <summary>D of heads where nothing says it, as in DeiT and ViT.</summary>
    internal const int HeadSize = 64;

    /// <summary>Nothing was tuned.</summary>
    public static TunedChoices None { get; } = new(
        ImmutableDictionary<LinearShape, KernelName>.Empty, ImmutableDictionary<RowChain, int>.Empty,
        ImmutableDictionary<AttentionShape, AttentionSplit>.Empty);

    /// <summary>Rows of a block: as tuned, else <see cref="RowChain.StaticRows"/>.</summary>
    public int RowBlock(RowChain chain) => RowBlocks.TryGetValue(chain, out var rows) ? rows : chain.StaticRows;

    /// <summary>How attention is cut: as tuned, else <see cref="AttentionSplit.Static"/>.</summary>
    public AttentionSplit Split(AttentionShape shape) => Splits.TryGetValue(shape, out var split) ? split : AttentionSplit.Static;

    /// <summary>The kernel of a shape, whatever its M: as tuned if that may run here, else as the registry ranks them.</summary>
    internal Kernel Kernel(KernelRegistry registry, LinearShape shape) =>
        Kernels.TryGetValue(Key(shape), out var name) && registry.Usable(shape).FirstOrDefault(kernel => kernel.Name == name) is { } tuned
            ? tuned
            : registry.Linear(shape);

    /// <summary>
    /// The layers of a format and of extents: those that are tuned; where none is, each that there may be, with heads of 64 channels. Float
    /// kernels leave what becomes of outputs to others, and a single row is a head's.
    /// </summary>
    internal IEnumerable<LinearShape> Layers(WeightFormat weights, MatrixShape shape)
    {
        var stored = new LinearShape(weights, shape.M, shape.K, shape.N);
        var tuned = Kernels.Keys.Where(key => key with { Output = LinearOutput.Stored, HeadSize = 0 } == Key(stored))
            .Select(key => key with { M = shape.M }).OrderBy(layer => (layer.Output, layer.HeadSize)).ToArray();
        if (tuned.Length > 0) return tuned;
        if (weights == WeightFormat.F32 || shape.M == 1) return [stored];
        LinearShape[] all = [stored, stored with { Output = LinearOutput.Residual }, stored with { Output = LinearOutput.Gelu }];
        return shape.N % (3 * HeadSize) == 0 ? [.. all, stored with { Output = LinearOutput.Heads, HeadSize = HeadSize }] : all;
    }

    /// <summary>These choices and others, which win where both know something.</summary>
    internal TunedChoices With(TunedChoices others) =>
        new(Kernels.SetItems(others.Kernels), RowBlocks.SetItems(others.RowBlocks), Splits.SetItems(others.Splits));

    /// <summary>Layers are tuned at one number of rows, heads at another.</summary>
    static LinearShape Key(LinearShape shape) => shape with { M = shape.M == 1 ? 1 : RowChain.KernelRows };
}
