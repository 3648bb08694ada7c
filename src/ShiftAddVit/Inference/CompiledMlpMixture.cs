using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>Experts that are whole MLPs: their hidden rows lie one behind the other, their outputs go where the rows came from.</summary>
sealed unsafe class CompiledMlpMixture(
    CompiledRouter router, ImmutableArray<(CompiledLinear Fc1, CompiledLinear Fc2)> experts, Epilogue gelu, KernelRegistry registry)
    : CompiledExperts(router, experts[0].Fc2.Outputs, experts[0].Fc1.Inputs, registry)
{
    readonly int _hidden = experts[0].Fc1.Outputs;

    /// <inheritdoc/>
    public override bool IsInteger { get; } = experts.All(expert => expert.Fc1.IsInteger && expert.Fc2.IsInteger);

    protected override long ExpertBytes(int m)
    {
        long most = 0;
        foreach (var (fc1, fc2) in experts) most = Math.Max(most, Math.Max(fc1.ProductBytes(m), fc2.ScratchBytes(m)));
        return HiddenBytes(m) + MaximumBytes(m) + most;
    }

    protected override void Run(int expert, in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima)
    {
        var (m, (fc1, fc2)) = (rows.Count, experts[expert]);
        var hidden = (float*)scratch;
        var largest = (float*)(scratch + HiddenBytes(m));
        var rest = (byte*)largest + MaximumBytes(m);
        var measures = fc1.IsInteger && fc2.IsInteger;
        if (measures) new Span<float>(largest, m * RowOps.MaximumLanes).Clear();
        fc1.Multiply(rows with { Targets = default }, hidden, _hidden, gelu, rest, measures ? largest : null);
        fc2.Apply(hidden, m, output, stride, epilogue, rest, measures ? largest : null, rows.Targets);
    }

    long HiddenBytes(int m) => Align((long)m * _hidden * sizeof(float));

    static long MaximumBytes(int m) => Align((long)m * RowOps.MaximumLanes * sizeof(float));
}
