using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Queries, keys and values of the normed tokens, in float32 or as <see cref="ByteHeads"/>.</summary>
sealed unsafe class QkvStage : RowStage
{
    readonly CompiledBlock _block;
    readonly Region _tokens;
    readonly Region _qkv;
    readonly ByteHeads? _heads;
    readonly Tap _tap;

    /// <summary>The layer cut in two, where only the prefix tokens ask; null where all ask or it can not be cut.</summary>
    readonly CompiledLinear? _queries, _keysAndValues;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="qkv">[B*N,3C], written when there are no byte heads.</param>
    /// <param name="heads">Where 8-bit attention finds its operands, or null for float32.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public QkvStage(StepContext context, CompiledBlock block, Region tokens, Region qkv, ByteHeads? heads, int queries) : base(context)
    {
        (_block, _tokens, _qkv, _heads) = (block, tokens, qkv, heads);
        _tap = Tap.OfTokens(context, block.Qkv);
        var (a, c) = (context.Model.Architecture, block.Qkv.Inputs);
        if (queries == a.Tokens || block.Qkv.Part(c, 2 * c) is not { } keysAndValues) return;
        (_queries, _keysAndValues) = (block.Qkv.Part(0, c), keysAndValues);
    }

    public override long ScratchBytes(int rows) =>
        FloatBytes(rows, _block.Qkv.Inputs) + (_heads is null ? 0 : FloatBytes(rows, _block.Qkv.Outputs))
        + Math.Max(_block.Qkv.ScratchBytes(rows), _heads?.ScratchBytes(rows) ?? 0);

    public override void Run(int first, int count, byte* scratch)
    {
        var (c, width) = (_block.Qkv.Inputs, _block.Qkv.Outputs);
        var tokens = Context.Arena.Pointer<float>(_tokens) + (long)first * c;
        var normed = (float*)scratch;
        var rest = scratch + FloatBytes(count, c);
        var qkv = _heads is null ? Context.Arena.Pointer<float>(_qkv) + (long)first * width : (float*)rest;
        if (_heads is not null) rest += FloatBytes(count, width);
        if (_keysAndValues is null)
        {
            _block.Qkv.ApplyNormed(tokens, _block.Norm1, count, qkv, width, Epilogue.Store, normed, rest);
            _tap.Keep(normed, first, count);
        }
        else
        {
            _keysAndValues.ApplyNormed(tokens, _block.Norm1, count, qkv + c, width, Epilogue.Store, normed, rest);
            for (var row = 0; row < count; row++)
                if (Asks(first + row))
                    _queries!.ApplyNormed(tokens + row * c, _block.Norm1, 1, qkv + row * width, width, Epilogue.Store, normed, rest);
        }
        if (_heads is null) return;
        TimeBudget.Enter(Work.QuantizeHeads);
        _heads.Keep((float*)(scratch + FloatBytes(count, c)), first, count, _keysAndValues is not null, rest);
    }

    bool Asks(int row) => row % Context.Model.Architecture.Tokens < Context.Model.Architecture.PrefixTokens;

    public override void Show(ActivationObserver observer) => _tap.Show(observer, Rows);
}
