using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// The operands of binary attention: a word of code bits for each query and key and head, head by head, and what magnitude they had (1 where a form
/// does without); values in float32; the keys' biases (0 where a form does without).
/// </summary>
sealed unsafe class BinaryHeads
{
    readonly StepContext _context;
    readonly Region _queries, _keys, _values, _queryMagnitudes, _keyMagnitudes, _biases;

    public BinaryHeads(StepContext context)
    {
        _context = context;
        var (a, arena) = (context.Model.Architecture, context.Arena);
        var words = (long)context.Options.MaxBatch * a.Heads * Stride;
        _queries = arena.Plan<ulong>(words);
        _keys = arena.Plan<ulong>(words);
        _values = arena.Plan<float>((long)context.Options.MaxBatch * a.Tokens * a.Width);
        _queryMagnitudes = arena.Plan<float>(words);
        _keyMagnitudes = arena.Plan<float>(words);
        _biases = arena.Plan<float>(words);
    }

    VitArchitecture Architecture => _context.Model.Architecture;

    /// <summary>N rounded up to whole cache lines of floats: from a head to the next.</summary>
    public int Stride => (int)AlignedBuffer.Align((long)Architecture.Tokens * sizeof(float)) / sizeof(float);

    /// <summary>bq [N].</summary>
    public ulong* Queries(int image, int head) => At<ulong>(_queries, image, head);

    /// <summary>bk [N].</summary>
    public ulong* Keys(int image, int head) => At<ulong>(_keys, image, head);

    /// <summary>mean |q| [N].</summary>
    public float* QueryMagnitudes(int image, int head) => At<float>(_queryMagnitudes, image, head);

    /// <summary>mean |k| [N].</summary>
    public float* KeyMagnitudes(int image, int head) => At<float>(_keyMagnitudes, image, head);

    /// <summary>beta [N].</summary>
    public float* Biases(int image, int head) => At<float>(_biases, image, head);

    /// <summary>v [N,D], rows C apart.</summary>
    public float* Values(int image, int head) =>
        _context.Arena.Pointer<float>(_values) + (long)image * Architecture.Tokens * Architecture.Width + head * Architecture.HeadSize;

    /// <summary>Where queries of an image go, from a token on.</summary>
    public HeadCodes QueriesFrom(int image, int token) => new(Queries(image, 0) + token, QueryMagnitudes(image, 0) + token, Stride);

    /// <summary>Where keys of an image go, from a token on.</summary>
    public HeadCodes KeysFrom(int image, int token) => new(Keys(image, 0) + token, KeyMagnitudes(image, 0) + token, Stride);

    T* At<T>(Region region, int image, int head) where T : unmanaged =>
        _context.Arena.Pointer<T>(region) + ((long)image * Architecture.Heads + head) * Stride;
}

/// <summary>Codes and mean magnitudes of some rows: those of row m and head h at m + h * Stride.</summary>
readonly unsafe struct HeadCodes(ulong* words, float* magnitudes, nint stride)
{
    public ulong* Words { get; } = words;

    public float* Magnitudes { get; } = magnitudes;

    public nint Stride { get; } = stride;
}
