namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// Queries, keys and values of the normed tokens as <see cref="ByteHeads"/>, by a layer that is cut in three: queries and keys are quantised
/// before they leave the kernel's registers, values go where attention reads them.
/// </summary>
sealed unsafe class ByteQkvStage : RowStage
{
    readonly CompiledBlock _block;
    readonly CompiledLinear _queries, _keys, _values;
    readonly Region _tokens;
    readonly ByteHeads _heads;
    readonly bool _prefixOnly;
    readonly Tap _tap;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers; <see cref="Fits"/>.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="heads">Written.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public ByteQkvStage(StepContext context, CompiledBlock block, Region tokens, ByteHeads heads, int queries) : base(context)
    {
        (_block, _tokens, _heads, _prefixOnly) = (block, tokens, heads, queries != context.Model.Architecture.Tokens);
        var c = Width;
        (_queries, _keys, _values) = (block.Qkv.Part(0, c)!, block.Qkv.Part(c, c)!, block.Qkv.Part(2 * c, c)!);
        _tap = Tap.OfTokens(context, block.Qkv);
    }

    int Width => _block.Qkv.Inputs;

    /// <summary>Whether the layer takes bytes and can be cut.</summary>
    public static bool Fits(CompiledBlock block) => block.Qkv.IsInteger && block.Qkv.Part(block.Qkv.Inputs, block.Qkv.Inputs) is not null;

    public override long ScratchBytes(int rows) => FloatBytes(rows, Width) + _heads.ScratchBytes(rows) + _block.Qkv.ScratchBytes(rows);

    public override void Run(int first, int count, byte* scratch)
    {
        var a = Context.Model.Architecture;
        for (int end = first + count, rows; first < end; first += rows)
        {
            var (image, token) = Math.DivRem(first, a.Tokens);
            rows = Math.Min(end - first, a.Tokens - token);
            var asking = _prefixOnly ? Math.Clamp(a.PrefixTokens - token, 0, rows) : rows;
            Run(image, token, rows, asking, scratch);
        }
    }

    public override void Show(ActivationObserver observer) => _tap.Show(observer, Rows);

    void Run(int image, int token, int rows, int asking, byte* scratch)
    {
        var first = image * Context.Model.Architecture.Tokens + token;
        var normed = (float*)scratch;
        var keys = scratch + FloatBytes(rows, Width);
        var rest = keys + _heads.ScratchBytes(rows);
        _block.Qkv.Normalize(Context.Arena.Pointer<float>(_tokens) + (long)first * Width, _block.Norm1, rows, normed, rest);
        _tap.Keep(normed, first, rows);
        if (asking > 0)
            _queries.QuantizeHeads(rows, asking, _heads.Queries(image, 0) + (long)token * Width, Width, _heads.ScalesOfQueries(image, token), rest);
        _keys.QuantizeHeads(rows, rows, keys, Width, _heads.ScalesOfKeys(image, token), rest);
        _values.Store(rows, rows, _heads.Values(image, 0) + (long)token * Width, Width, rest);
        TimeBudget.Enter(Work.QuantizeHeads);
        _heads.PackKeys(image, token, rows, keys);
    }
}
