using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>x += proj(attended).</summary>
sealed unsafe class ProjectionStage : RowStage
{
    readonly CompiledLayer _projection;
    readonly Region _attended;
    readonly Region _tokens;
    readonly Tap _tap;

    /// <param name="context">The session.</param>
    /// <param name="projection">C to C.</param>
    /// <param name="attended">[B*N,C].</param>
    /// <param name="tokens">x [B*N,C].</param>
    public ProjectionStage(StepContext context, CompiledLayer projection, Region attended, Region tokens) : base(context)
    {
        (_projection, _attended, _tokens) = (projection, attended, tokens);
        _tap = Tap.OfTokens(context, projection);
    }

    public override long ScratchBytes(int rows) => _projection.ScratchBytes(rows);

    public override void Run(int first, int count, byte* scratch)
    {
        var attended = Context.Arena.Pointer<float>(_attended) + (long)first * _projection.Inputs;
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)first * _projection.Outputs;
        _projection.Apply(attended, count, tokens, _projection.Outputs, Epilogue.AddResidual, scratch);
        _tap.Keep(attended, first, count, scratch);
    }

    public override void Show(ActivationObserver observer) => _tap.Show(observer, Rows);
}
