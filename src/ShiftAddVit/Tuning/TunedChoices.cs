using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>What was found fastest on this machine. It never changes a result: kernels of one operation agree to the bit. Immutable.</summary>
/// <param name="Kernels">The kernel of a shape; one that is unknown or may not run here is passed over.</param>
/// <param name="RowBlocks">The rows of a block, <see cref="RowChain.LeastRows"/> to <see cref="RowChain.MostRows"/>.</param>
public sealed record TunedChoices(ImmutableDictionary<LinearShape, KernelName> Kernels, ImmutableDictionary<RowChain, int> RowBlocks)
{
    /// <summary>Nothing was tuned.</summary>
    public static TunedChoices None { get; } =
        new(ImmutableDictionary<LinearShape, KernelName>.Empty, ImmutableDictionary<RowChain, int>.Empty);

    /// <summary>Rows of a block: as tuned, else <see cref="RowChain.StaticRows"/>.</summary>
    public int RowBlock(RowChain chain) => RowBlocks.TryGetValue(chain, out var rows) ? rows : chain.StaticRows;

    /// <summary>The kernel of a shape: as tuned if that may run here, else as the registry ranks them.</summary>
    internal Kernel Kernel(KernelRegistry registry, LinearShape shape) =>
        Kernels.TryGetValue(shape, out var name) && registry.Usable(shape).FirstOrDefault(kernel => kernel.Name == name) is { } tuned
            ? tuned
            : registry.Linear(shape);

    /// <summary>These choices and others, which win where both know something.</summary>
    internal TunedChoices With(TunedChoices others) => new(Kernels.SetItems(others.Kernels), RowBlocks.SetItems(others.RowBlocks));
}
