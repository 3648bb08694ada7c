using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>y = gate_e * Experts[e](x), e and the gate as the router says for each row. An expert runs once, on all of its rows.</summary>
sealed unsafe class CompiledMixture(CompiledRouter router, ImmutableArray<CompiledLinear> experts, KernelRegistry registry)
    : CompiledLayer(router.Routing.Mixture, experts[0].Outputs, experts[0].Inputs, registry)
{
    /// <inheritdoc/>
    public override bool IsInteger { get; } = experts.All(expert => expert.IsInteger);

    /// <summary>The router reads bytes.</summary>
    public override bool Quantizes => true;

    /// <summary>Asked for in every run of a layer that this one is a part of.</summary>
    public override long ProductBytes(int m)
    {
        long most = 0;
        foreach (var expert in experts) most = Math.Max(most, expert.ProductBytes(m));
        return router.ScratchBytes(m) + most;
    }

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
            experts[e].Multiply(own, output, stride, epilogue, scratch + router.ScratchBytes(rows.Count), maxima);
        }
        TimeBudget.LeaveExperts();
    }
}
