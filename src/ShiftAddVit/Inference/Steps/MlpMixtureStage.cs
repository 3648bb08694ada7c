using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>x += mlp(norm(x)), the MLP one layer.</summary>
sealed unsafe class MlpMixtureStage : RowStage
{
    readonly CompiledNorm _norm;
    readonly CompiledLayer _mlp;
    readonly Region _tokens;
    readonly Tap _tap;
    readonly string _name;

    /// <param name="context">The session.</param>
    /// <param name="norm">The norm in front.</param>
    /// <param name="mlp">C to C.</param>
    /// <param name="name">What the observer is told of the tokens that come out.</param>
    /// <param name="tokens">x [B*N,C].</param>
    public MlpMixtureStage(StepContext context, CompiledNorm norm, CompiledLayer mlp, string name, Region tokens) : base(context)
    {
        (_norm, _mlp, _name, _tokens) = (norm, mlp, name, tokens);
        _tap = Tap.OfTokens(context, mlp);
    }

    public override long ScratchBytes(int rows) => FloatBytes(rows, _mlp.Inputs) + _mlp.ScratchBytes(rows);

    public override void Run(int first, int count, byte* scratch)
    {
        var c = _mlp.Inputs;
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)first * c;
        var rest = scratch + FloatBytes(count, c);
        _mlp.ApplyNormed(tokens, _norm, count, tokens, c, Epilogue.AddResidual, (float*)scratch, rest);
        _tap.Keep((float*)scratch, first, count, rest);
    }

    public override void Show(ActivationObserver observer)
    {
        _tap.Show(observer, Rows);
        observer(new(ActivationKind.Residual, _name, _mlp.Inputs, new(Context.Arena.Pointer<float>(_tokens), Rows * _mlp.Inputs)));
    }
}
