namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// The operands of 8-bit attention: queries and keys quantised for each token and head, values in float32, whose scale is known only
/// when all tokens are there.
/// </summary>
sealed unsafe class ByteHeads
{
    readonly StepContext _context;
    readonly Region _queries, _keys, _values, _queryScales, _keyScales;

    public ByteHeads(StepContext context)
    {
        _context = context;
        var (a, arena) = (context.Model.Architecture, context.Arena);
        var rows = (long)context.Options.MaxBatch * a.Tokens;
        _queries = arena.Plan<byte>(rows * a.Width);
        _keys = arena.Plan<byte>(rows * a.Width);
        _values = arena.Plan<float>(rows * a.Width);
        _queryScales = arena.Plan<float>(rows * a.Heads);
        _keyScales = arena.Plan<float>(rows * a.Heads);
    }

    int Tokens => _context.Model.Architecture.Tokens;

    int Heads => _context.Model.Architecture.Heads;

    int Width => _context.Model.Architecture.Width;

    /// <summary>q [N,D] of an image's head, rows <see cref="Width"/> apart.</summary>
    public byte* Queries(int image, int head) => Bytes(_queries, image, head);

    /// <summary>k [N,D], rows a width apart.</summary>
    public byte* Keys(int image, int head) => Bytes(_keys, image, head);

    /// <summary>v [N,D], rows a width apart.</summary>
    public float* Values(int image, int head) =>
        _context.Arena.Pointer<float>(_values) + (long)image * Tokens * Width + head * _context.Model.Architecture.HeadSize;

    /// <summary>sq [N].</summary>
    public float* QueryScales(int image, int head) => Scales(_queryScales, image, head);

    /// <summary>sk [N].</summary>
    public float* KeyScales(int image, int head) => Scales(_keyScales, image, head);

    /// <summary>Quantises the queries [C] of a row of the batch.</summary>
    public void KeepQueries(float* queries, int row)
    {
        var (image, token) = Math.DivRem(row, Tokens);
        Quantize(queries, Queries(image, 0) + token * Width, QueryScales(image, 0) + token);
    }

    /// <summary>Quantises the keys of a row and copies its values, [2C].</summary>
    public void KeepKeysAndValues(float* keysAndValues, int row)
    {
        var (image, token) = Math.DivRem(row, Tokens);
        Quantize(keysAndValues, Keys(image, 0) + token * Width, KeyScales(image, 0) + token);
        new ReadOnlySpan<float>(keysAndValues + Width, Width).CopyTo(new(Values(image, 0) + token * Width, Width));
    }

    void Quantize(float* x, byte* q, float* scales) =>
        _context.Model.Registry.Attention.QuantizeHeads(x, Heads, _context.Model.Architecture.HeadSize, q, scales, Tokens);

    byte* Bytes(Region region, int image, int head) =>
        _context.Arena.Pointer<byte>(region) + (long)image * Tokens * Width + head * _context.Model.Architecture.HeadSize;

    float* Scales(Region region, int image, int head) => _context.Arena.Pointer<float>(region) + ((long)image * Heads + head) * Tokens;
}
