using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>y = gate_e * expert_e(x), e and the gate as the router says for each row. An expert runs once, on all of its rows.</summary>
abstract unsafe class CompiledExperts(CompiledRouter router, int outputs, int inputs, KernelRegistry registry)
    : CompiledLayer(router.Routing.Mixture, outputs, inputs, registry)
{
    /// <summary>The router reads bytes.</summary>
    public sealed override bool Quantizes => true;

    /// <inheritdoc/>
    public sealed override long ProductBytes(int m) => router.ScratchBytes(m) + ExpertBytes(m);

    /// <inheritdoc/>
    public sealed override IEnumerable<(Routing Routing, long Offset)> Routings(int m) => [(router.Routing, 0)];

    /// <inheritdoc/>
    public sealed override void Multiply(in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima = null)
    {
        var routed = router.Route(rows, scratch);
        var rest = scratch + router.ScratchBytes(rows.Count);
        for (var e = 0; e < router.Routing.Experts; e++)
        {
            var own = routed.Of(e);
            if (own.Count == 0) continue;
            TimeBudget.EnterExpert(Name, e);
            Run(e, own, output, stride, epilogue, rest, maxima);
        }
        TimeBudget.LeaveExperts();
    }

    /// <summary>Bytes of scratch that the hungriest expert needs for M rows. Asked for in every run of a layer that this one is a part of.</summary>
    protected abstract long ExpertBytes(int m);

    /// <summary>An expert on its rows; as <see cref="CompiledLayer.Multiply"/>.</summary>
    protected abstract void Run(int expert, in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima);
}
