using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// Queries, keys and values of the normed tokens as <see cref="BinaryHeads"/>. A layer that takes bytes and can be cut in three is: then queries and keys
/// become codes before they leave the kernel's registers, and values go where attention reads them.
/// </summary>
sealed unsafe class BinaryQkvStage : HeadsStage
{
    readonly BinaryHeads _heads;

    /// <summary>The layer and its parts; null where it is not cut. Of floats the first only, where only the prefix tokens ask.</summary>
    readonly CompiledLinear? _whole, _queries, _keys, _values, _keysAndValues;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="heads">Written.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public BinaryQkvStage(StepContext context, CompiledBlock block, Region tokens, BinaryHeads heads, int queries) : base(context, block, tokens, queries)
    {
        _heads = heads;
        var c = Width;
        if (block.Qkv is not CompiledLinear whole || whole.Part(c, c) is not { } keys) return;
        if (whole.IsInteger) (_whole, _queries, _keys, _values) = (whole, whole.Part(0, c), keys, whole.Part(2 * c, c));
        else if (PrefixOnly) (_queries, _keysAndValues) = (whole.Part(0, c), whole.Part(c, 2 * c));
    }

    CompiledAttention Attention => Block.Attention;

    int Heads => Context.Model.Architecture.Heads;

    int HeadSize => Context.Model.Architecture.HeadSize;

    bool IsHashed => Attention.Form.Codes == Models.CodeRule.Ksh;

    /// <summary>Rows of queries, keys or all that are not coded in registers.</summary>
    int FloatWidth => _keys is null ? 3 * Width : IsHashed ? Width : 0;

    public override long ScratchBytes(int rows) => FloatBytes(rows, Width) + FloatBytes(rows, FloatWidth) + FloatBytes(rows, Heads)
        + Math.Max(Block.Qkv.ScratchBytes(rows), Attention.KeyBias?.ScratchBytes(rows) ?? 0);

    protected override void Run(int image, int token, int rows, int asking, byte* scratch)
    {
        var normed = (float*)scratch;
        var floats = (float*)(scratch + FloatBytes(rows, Width));
        var biases = (float*)((byte*)floats + FloatBytes(rows, FloatWidth));
        var rest = (byte*)biases + FloatBytes(rows, Heads);
        if (_keys is null) RunWhole(image, token, rows, asking, normed, floats, rest);
        else RunParts(image, token, rows, asking, normed, floats, rest);
        Tap.Keep(normed, Row(image, token), rows, rest);
        KeepBiases(image, token, rows, normed, biases, rest);
    }

    float* Values(int image, int token) => _heads.Values(image, 0) + (long)token * Width;

    void RunParts(int image, int token, int rows, int asking, float* normed, float* floats, byte* rest)
    {
        _whole!.Normalize(Tokens(image, token), Block.Norm1, rows, normed, rest);
        if (asking > 0) RunPart(_queries!, rows, asking, _heads.QueriesFrom(image, token), floats, rest);
        RunPart(_keys!, rows, rows, _heads.KeysFrom(image, token), floats, rest);
        _values!.Store(rows, rows, Values(image, token), Width, rest);
    }

    void RunPart(CompiledLinear layer, int prepared, int rows, HeadCodes codes, float* floats, byte* rest)
    {
        if (IsHashed)
        {
            layer.Store(prepared, rows, floats, Width, rest);
            Encode(floats, Width, rows, codes);
            return;
        }
        var scales = Attention.Form.CodeScales ? codes.Magnitudes : null;
        layer.Encode(prepared, rows, codes.Words, codes.Stride, new() { HeadSize = HeadSize, Scales = scales, Stride = codes.Stride }, rest);
        FillMagnitudes(rows, codes);
    }

    void RunWhole(int image, int token, int rows, int asking, float* normed, float* qkv, byte* rest)
    {
        var tokens = Tokens(image, token);
        var width = 3 * Width;
        if (_keysAndValues is null) Block.Qkv.ApplyNormed(tokens, Block.Norm1, rows, qkv, width, Epilogue.Store, normed, rest);
        else
        {
            if (asking > 0) _queries!.ApplyNormed(tokens, Block.Norm1, asking, qkv, width, Epilogue.Store, normed, rest);
            _keysAndValues.ApplyNormed(tokens, Block.Norm1, rows, qkv + Width, width, Epilogue.Store, normed, rest);
        }
        if (asking > 0) Encode(qkv, width, asking, _heads.QueriesFrom(image, token));
        Encode(qkv + Width, width, rows, _heads.KeysFrom(image, token));
        for (var row = 0; row < rows; row++)
            new ReadOnlySpan<float>(qkv + row * width + 2 * Width, Width).CopyTo(new(Values(image, token + row), Width));
    }

    /// <summary>Codes of queries or keys [rows,C] in float32.</summary>
    void Encode(float* x, nint stride, int rows, HeadCodes codes)
    {
        TimeBudget.Enter(Work.QuantizeHeads);
        var registry = Context.Model.Registry;
        for (var head = 0; head < Heads; head++)
        {
            var y = x + head * HeadSize;
            var words = codes.Words + head * codes.Stride;
            var magnitudes = codes.Magnitudes + head * codes.Stride;
            if (IsHashed) Attention.Hash(registry.Hashes, head, y, stride, rows, words);
            else
                for (var row = 0; row < rows; row++) magnitudes[row] = registry.Rows.Code(y + row * stride, HeadSize, words + row);
        }
        FillMagnitudes(rows, codes);
    }

    void FillMagnitudes(int rows, HeadCodes codes)
    {
        for (var head = 0; !Attention.Form.CodeScales && head < Heads; head++) new Span<float>(codes.Magnitudes + head * codes.Stride, rows).Fill(1);
    }

    void KeepBiases(int image, int token, int rows, float* normed, float* biases, byte* rest)
    {
        var layer = Attention.KeyBias;
        // What the parts of the layer left in the scratch serves this layer too.
        if (_keys is not null && layer is { IsInteger: true }) layer.Store(rows, rows, biases, Heads, rest);
        else layer?.Apply(normed, rows, biases, Heads, Epilogue.Store, rest);
        TimeBudget.Enter(Work.QuantizeHeads);
        for (var head = 0; head < Heads; head++)
        {
            var kept = _heads.Biases(image, head) + token;
            for (var row = 0; row < rows; row++) kept[row] = layer is null ? 0 : biases[row * Heads + head];
        }
    }
}
