using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>
/// y = gate_e * Experts[e](x), the experts whole MLPs: their hidden rows lie one behind the other, their outputs go where the rows came from.
/// </summary>
sealed unsafe class CompiledMlpMixture(
    CompiledRouter router, ImmutableArray<(CompiledLinear Fc1, CompiledLinear Fc2)> experts, Epilogue gelu, KernelRegistry registry)
    : CompiledLayer(router.Routing.Mixture, experts[0].Fc2.Outputs, experts[0].Fc1.Inputs, registry)
{
    readonly int _hidden = experts[0].Fc1.Outputs;

    /// <inheritdoc/>
    public override bool IsInteger { get; } = experts.All(expert => expert.Fc1.IsInteger && expert.Fc2.IsInteger);

    /// <summary>The router reads bytes.</summary>
    public override bool Quantizes => true;

    /// <inheritdoc/>
    public override long ProductBytes(int m) => router.ScratchBytes(m) + HiddenBytes(m) + MaximumBytes(m)
        + experts.Max(expert => Math.Max(expert.Fc1.ProductBytes(m), expert.Fc2.ScratchBytes(m)));

    /// <inheritdoc/>
    public override IEnumerable<(Routing Routing, long Offset)> Routings(int m) => [(router.Routing, 0)];

    /// <inheritdoc/>
    public override void Multiply(in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima = null)
    {
        var routed = router.Route(rows, scratch);
        for (var e = 0; e < experts.Length; e++)
        {
            var own = routed.Of(e);
            if (own.Count == 0) continue;
            TimeBudget.EnterExpert(Name, e);
            Run(experts[e].Fc1, experts[e].Fc2, own, output, stride, epilogue, scratch + router.ScratchBytes(rows.Count), maxima);
        }
        TimeBudget.LeaveExperts();
    }

    void Run(
        CompiledLinear fc1, CompiledLinear fc2, in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima)
    {
        var m = rows.Count;
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
