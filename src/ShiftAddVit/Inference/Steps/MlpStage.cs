using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>x += fc2(gelu(fc1(norm(x)))); the hidden values of a block of tokens stay in the thread's scratch.</summary>
sealed unsafe class MlpStage : RowStage
{
    readonly CompiledBlock _block;
    readonly Region _tokens;
    readonly Epilogue _gelu;

    /// <summary>Whether the largest hidden values are kept by who computes them for who quantises them.</summary>
    readonly bool _measures;

    readonly Tap _fc1Tap;
    readonly Tap _fc2Tap;
    readonly string _name;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers.</param>
    /// <param name="name">What the observer is told of the tokens that come out.</param>
    /// <param name="tokens">x [B*N,C].</param>
    public MlpStage(StepContext context, CompiledBlock block, string name, Region tokens) : base(context)
    {
        (_block, _name, _tokens) = (block, name, tokens);
        _measures = block.Fc1.IsInteger && block.Fc2.IsInteger;
        _gelu = context.Model.Exact ? Epilogue.Gelu : Epilogue.TableGelu;
        _fc1Tap = Tap.OfTokens(context, block.Fc1);
        _fc2Tap = Tap.OfTokens(context, block.Fc2);
    }

    public override long ScratchBytes(int rows) => FloatBytes(rows, _block.Fc1.Inputs) + FloatBytes(rows, _block.Fc1.Outputs) + FloatBytes(rows, RowOps.MaximumLanes)
        + Math.Max(_block.Fc1.ScratchBytes(rows), _block.Fc2.ScratchBytes(rows));

    public override void Run(int first, int count, byte* scratch)
    {
        var (c, width) = (_block.Fc1.Inputs, _block.Fc1.Outputs);
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)first * c;
        var normed = (float*)scratch;
        var hidden = (float*)(scratch + FloatBytes(count, c));
        var room = (byte*)hidden + FloatBytes(count, width);
        var rest = room + FloatBytes(count, RowOps.MaximumLanes);
        var maxima = _measures ? (float*)room : null;
        if (_measures) new Span<float>(maxima, count * RowOps.MaximumLanes).Clear();
        _block.Fc1.ApplyNormed(tokens, _block.Norm2, count, hidden, width, _gelu, normed, rest, maxima);
        _fc1Tap.Keep(normed, first, count);
        _fc2Tap.Keep(hidden, first, count);
        _block.Fc2.Apply(hidden, count, tokens, c, Epilogue.AddResidual, rest, maxima);
    }

    public override void Show(ActivationObserver observer)
    {
        _fc1Tap.Show(observer, Rows);
        _fc2Tap.Show(observer, Rows);
        var c = _block.Fc1.Inputs;
        observer(new(ActivationKind.Residual, _name, c, new(Context.Arena.Pointer<float>(_tokens), Rows * c)));
    }
}
