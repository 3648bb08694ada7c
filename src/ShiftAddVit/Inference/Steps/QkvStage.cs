using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Queries, keys and values of the normed tokens, in float32.</summary>
sealed unsafe class QkvStage : RowStage
{
    readonly CompiledBlock _block;
    readonly Region _tokens;
    readonly Region _qkv;
    readonly Tap _tap;

    /// <summary>The layer cut in two, where only the prefix tokens ask; null where all ask or it can not be cut.</summary>
    readonly CompiledLinear? _queries, _keysAndValues;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="qkv">[B*N,3C], written.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public QkvStage(StepContext context, CompiledBlock block, Region tokens, Region qkv, int queries) : base(context)
    {
        (_block, _tokens, _qkv) = (block, tokens, qkv);
        _tap = Tap.OfTokens(context, block.Qkv);
        var (a, c) = (context.Model.Architecture, block.Qkv.Inputs);
        if (queries == a.Tokens || block.Qkv is not CompiledLinear whole || whole.Part(c, 2 * c) is not { } keysAndValues) return;
        (_queries, _keysAndValues) = (whole.Part(0, c), keysAndValues);
    }

    public override long ScratchBytes(int rows) => FloatBytes(rows, _block.Qkv.Inputs) + _block.Qkv.ScratchBytes(rows);

    public override void Run(int first, int count, byte* scratch)
    {
        var (c, width) = (_block.Qkv.Inputs, _block.Qkv.Outputs);
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)first * c;
        var normed = (float*)scratch;
        var rest = scratch + FloatBytes(count, c);
        var qkv = Context.Arena.Pointer<float>(_qkv) + (long)first * width;
        if (_keysAndValues is null)
        {
            _block.Qkv.ApplyNormed(tokens, _block.Norm1, count, qkv, width, Epilogue.Store, normed, rest);
            _tap.Keep(normed, first, count, rest);
            return;
        }
        _keysAndValues.ApplyNormed(tokens, _block.Norm1, count, qkv + c, width, Epilogue.Store, normed, rest);
        for (var row = 0; row < count; row++)
            if (Asks(first + row))
                _queries!.ApplyNormed(tokens + row * c, _block.Norm1, 1, qkv + row * width, width, Epilogue.Store, normed, rest);
    }

    bool Asks(int row) => row % Context.Model.Architecture.Tokens < Context.Model.Architecture.PrefixTokens;

    public override void Show(ActivationObserver observer) => _tap.Show(observer, Rows);
}
