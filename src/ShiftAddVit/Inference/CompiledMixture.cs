using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>Experts that are linear layers.</summary>
sealed unsafe class CompiledMixture(CompiledRouter router, ImmutableArray<CompiledLinear> experts, KernelRegistry registry)
    : CompiledExperts(router, experts[0].Outputs, experts[0].Inputs, registry)
{
    /// <inheritdoc/>
    public override bool IsInteger { get; } = experts.All(expert => expert.IsInteger);

    protected override long ExpertBytes(int m)
    {
        long most = 0;
        foreach (var expert in experts) most = Math.Max(most, expert.ProductBytes(m));
        return most;
    }

    protected override void Run(int expert, in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima) =>
        experts[expert].Multiply(rows, output, stride, epilogue, scratch, maxima);
}
