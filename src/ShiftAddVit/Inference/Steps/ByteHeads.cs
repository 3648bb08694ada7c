using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// The operands of 8-bit attention: queries and keys quantised for each token and head, the keys in the order of the kernel that multiplies
/// by them; values in float32, whose scales are known only when all tokens are there.
/// </summary>
sealed unsafe class ByteHeads
{
    readonly StepContext _context;
    readonly Region _queries, _keys, _values, _queryScales, _keyScales;
    readonly long _keyBytes;

    public ByteHeads(StepContext context)
    {
        _context = context;
        (ScoreKernel, ValueKernel) = ((IntegerKernel)context.Model.ScoreKernel, (IntegerKernel)context.Model.ValueKernel);
        var (a, arena) = (context.Model.Architecture, context.Arena);
        var (rows, heads) = ((long)context.Options.MaxBatch * a.Tokens, (long)context.Options.MaxBatch * a.Heads);
        _keyBytes = AlignedBuffer.Align(ScoreKernel.Packing.ByteLength(a.Tokens, a.HeadSize));
        _queries = arena.Plan<byte>(rows * a.Width);
        _keys = arena.Plan<byte>(heads * _keyBytes);
        _values = arena.Plan<float>(rows * a.Width);
        _queryScales = arena.Plan<float>(heads * ScaleStride);
        _keyScales = arena.Plan<float>(heads * ScaleStride);
    }

    /// <summary>The kernel of q . k, which says the order of the keys.</summary>
    public IntegerKernel ScoreKernel { get; }

    /// <summary>The kernel of p v.</summary>
    public IntegerKernel ValueKernel { get; }

    VitArchitecture Architecture => _context.Model.Architecture;

    int Tokens => Architecture.Tokens;

    int Width => Architecture.Width;

    /// <summary>N rounded up to whole cache lines.</summary>
    int ScaleStride => (int)AlignedBuffer.Align((long)Tokens * sizeof(float)) / sizeof(float);

    /// <summary>q [N,D] of an image's head, rows C apart.</summary>
    public byte* Queries(int image, int head) =>
        _context.Arena.Pointer<byte>(_queries) + (long)image * Tokens * Width + head * Architecture.HeadSize;

    /// <summary>k [N,D], in the kernel's order.</summary>
    public byte* Keys(int image, int head) => _context.Arena.Pointer<byte>(_keys) + ((long)image * Architecture.Heads + head) * _keyBytes;

    /// <summary>v [N,D], rows C apart.</summary>
    public float* Values(int image, int head) =>
        _context.Arena.Pointer<float>(_values) + (long)image * Tokens * Width + head * Architecture.HeadSize;

    /// <summary>q [N,C] of an image, from a token on.</summary>
    public byte* QueriesAt(int image, int token) => Queries(image, 0) + (long)token * Width;

    /// <summary>v [N,C] of an image, from a token on.</summary>
    public float* ValuesAt(int image, int token) => Values(image, 0) + (long)token * Width;

    /// <summary>sq [N].</summary>
    public float* QueryScales(int image, int head) => Scales(_queryScales, image, head);

    /// <summary>sk [N].</summary>
    public float* KeyScales(int image, int head) => Scales(_keyScales, image, head);

    /// <summary>Quantises queries of an image, from a token on.</summary>
    /// <param name="queries">[rows,C], rows 3C apart.</param>
    /// <param name="image">The image.</param>
    /// <param name="token">The first token.</param>
    /// <param name="rows">How many.</param>
    public void KeepQueries(float* queries, int image, int token, int rows) =>
        Quantize(queries, rows, QueriesAt(image, token), ScalesOfQueries(image, token));

    /// <summary>Quantises keys, as <see cref="KeepQueries"/>, for <see cref="PackKeys"/>.</summary>
    public void QuantizeKeys(float* keys, int image, int token, int rows, byte* quantised) =>
        Quantize(keys, rows, quantised, ScalesOfKeys(image, token));

    /// <summary>Takes over values, as <see cref="KeepQueries"/>.</summary>
    public void KeepValues(float* values, int image, int token, int rows)
    {
        var target = ValuesAt(image, token);
        for (var row = 0; row < rows; row++, values += 3 * Width, target += Width) new ReadOnlySpan<float>(values, Width).CopyTo(new(target, Width));
    }

    /// <summary>Where the scales of an image's queries go, from a token on.</summary>
    public HeadScales ScalesOfQueries(int image, int token) => ScalesAt(QueryScales(image, 0) + token);

    /// <summary>Where the scales of an image's keys go, from a token on.</summary>
    public HeadScales ScalesOfKeys(int image, int token) => ScalesAt(KeyScales(image, 0) + token);

    /// <summary>Takes over quantised keys [rows,C] of an image, from a token on.</summary>
    public void PackKeys(int image, int token, int rows, byte* quantised)
    {
        for (var head = 0; head < Architecture.Heads; head++)
            ScoreKernel.Packing.PackRows(token, rows, Architecture.HeadSize, quantised + head * Architecture.HeadSize, Width, Keys(image, head));
    }

    void Quantize(float* x, int rows, byte* q, in HeadScales scales) => _context.Model.Registry.Attention.QuantizeHeads(new()
    {
        Rows = rows, Heads = Architecture.Heads, HeadSize = scales.HeadSize,
        X = x, XStride = 3 * Width, Q = q, QStride = Width, Scales = scales.Scales, ScaleStride = scales.Stride,
    });

    HeadScales ScalesAt(float* scales) => new() { HeadSize = Architecture.HeadSize, Scales = scales, Stride = ScaleStride };

    float* Scales(Region region, int image, int head) =>
        _context.Arena.Pointer<float>(region) + ((long)image * Architecture.Heads + head) * ScaleStride;
}
