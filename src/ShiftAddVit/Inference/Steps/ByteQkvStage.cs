using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// Queries, keys and values of the normed tokens as <see cref="ByteHeads"/>. A layer that takes bytes and can be cut in three is: then queries
/// and keys are quantised before they leave the kernel's registers, and values go where attention reads them.
/// </summary>
sealed unsafe class ByteQkvStage : HeadsStage
{
    readonly ByteHeads _heads;

    /// <summary>The layer and its parts; null where it is not cut.</summary>
    readonly CompiledLinear? _whole, _queries, _keys, _values;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="heads">Written.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public ByteQkvStage(StepContext context, CompiledBlock block, Region tokens, ByteHeads heads, int queries) : base(context, block, tokens, queries)
    {
        _heads = heads;
        var c = Width;
        if (block.Qkv is not CompiledLinear { IsInteger: true } whole || whole.Part(c, c) is not { } keys) return;
        (_whole, _queries, _keys, _values) = (whole, whole.Part(0, c), keys, whole.Part(2 * c, c));
    }

    public override long ScratchBytes(int rows) =>
        FloatBytes(rows, Width) + KeyBytes(rows) + (_keys is null ? FloatBytes(rows, 3 * Width) : 0) + Block.Qkv.ScratchBytes(rows);

    /// <summary>Keys between their quantisation and their packing.</summary>
    long KeyBytes(int rows) => Align((long)rows * Width);

    protected override void Run(int image, int token, int rows, int asking, byte* scratch)
    {
        var normed = (float*)scratch;
        var keys = scratch + FloatBytes(rows, Width);
        var rest = keys + KeyBytes(rows);
        if (_keys is null) RunWhole(image, token, rows, asking, normed, keys, rest);
        else RunParts(image, token, rows, asking, normed, keys, rest);
        Tap.Keep(normed, Row(image, token), rows, rest + (_keys is null ? FloatBytes(rows, 3 * Width) : 0));
        TimeBudget.Enter(Work.PackHeads);
        _heads.PackKeys(image, token, rows, keys);
    }

    void RunParts(int image, int token, int rows, int asking, float* normed, byte* keys, byte* rest)
    {
        _whole!.Normalize(Tokens(image, token), Block.Norm1, rows, normed, rest);
        if (asking > 0)
            _queries!.QuantizeHeads(rows, asking, _heads.QueriesAt(image, token), Width, _heads.ScalesOfQueries(image, token), rest);
        _keys!.QuantizeHeads(rows, rows, keys, Width, _heads.ScalesOfKeys(image, token), rest);
        _values!.Store(rows, rows, _heads.ValuesAt(image, token), Width, rest);
    }

    void RunWhole(int image, int token, int rows, int asking, float* normed, byte* keys, byte* rest)
    {
        var qkv = (float*)rest;
        var width = 3 * Width;
        Block.Qkv.ApplyNormed(Tokens(image, token), Block.Norm1, rows, qkv, width, Epilogue.Store, normed, rest + FloatBytes(rows, width));
        TimeBudget.Enter(Work.QuantizeHeads);
        _heads.KeepQueries(qkv, image, token, asking);
        _heads.QuantizeKeys(qkv + Width, image, token, rows, keys);
        _heads.KeepValues(qkv + 2 * Width, image, token, rows);
    }
}
