using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>x += fc2(gelu(fc1(norm(x)))); the hidden values of a block of tokens stay in the thread's scratch.</summary>
sealed unsafe class MlpStage : RowStage
{
    readonly CompiledNorm _norm;
    readonly CompiledLayer _fc1;
    readonly CompiledLayer _fc2;
    readonly Region _tokens;

    /// <summary>Whether the largest hidden values are kept by who computes them for who quantises them.</summary>
    readonly bool _measures;

    readonly Tap _fc1Tap;
    readonly Tap _fc2Tap;
    readonly string _name;

    /// <param name="context">The session.</param>
    /// <param name="norm">The norm in front.</param>
    /// <param name="fc1">C to the hidden width.</param>
    /// <param name="fc2">And back.</param>
    /// <param name="name">What the observer is told of the tokens that come out.</param>
    /// <param name="tokens">x [B*N,C].</param>
    public MlpStage(StepContext context, CompiledNorm norm, CompiledLayer fc1, CompiledLayer fc2, string name, Region tokens) : base(context)
    {
        (_norm, _fc1, _fc2, _name, _tokens) = (norm, fc1, fc2, name, tokens);
        _measures = fc1.IsInteger && fc2.IsInteger;
        _fc1Tap = Tap.OfTokens(context, fc1);
        _fc2Tap = Tap.OfTokens(context, fc2);
    }

    public override long ScratchBytes(int rows) => FloatBytes(rows, _fc1.Inputs) + FloatBytes(rows, _fc1.Outputs) + FloatBytes(rows, RowOps.MaximumLanes)
        + Math.Max(_fc1.ScratchBytes(rows), _fc2.ScratchBytes(rows));

    public override void Run(int first, int count, byte* scratch)
    {
        var (c, width) = (_fc1.Inputs, _fc1.Outputs);
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)first * c;
        var normed = (float*)scratch;
        var hidden = (float*)(scratch + FloatBytes(count, c));
        var room = (byte*)hidden + FloatBytes(count, width);
        var rest = room + FloatBytes(count, RowOps.MaximumLanes);
        var maxima = _measures ? (float*)room : null;
        if (_measures) new Span<float>(maxima, count * RowOps.MaximumLanes).Clear();
        _fc1.ApplyNormed(tokens, _norm, count, hidden, width, Context.Model.Gelu, normed, rest, maxima);
        _fc1Tap.Keep(normed, first, count, rest);
        _fc2.Apply(hidden, count, tokens, c, Epilogue.AddResidual, rest, maxima);
        _fc2Tap.Keep(hidden, first, count, rest);
    }

    public override void Show(ActivationObserver observer)
    {
        _fc1Tap.Show(observer, Rows);
        _fc2Tap.Show(observer, Rows);
        var c = _fc1.Inputs;
        observer(new(ActivationKind.Residual, _name, c, new(Context.Arena.Pointer<float>(_tokens), Rows * c)));
    }
}
