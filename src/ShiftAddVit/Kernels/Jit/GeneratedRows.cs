using System.Runtime.CompilerServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Row operations by generated code, for blocks of at least a quad of rows. Measured on Zen 4, in cycles a row, portable vectors of 512 bits
/// in brackets: layer norm and quantisation of 192 elements 112 (175), softmax of 197 keys 92 (153), quantisation of 768 elements 172 (197).
/// </summary>
sealed unsafe class GeneratedRows
{
    const KernelIsa Isa = KernelIsa.Avx512Vnni;

    /// <summary>What bounds the scratch on the stack, 32 KB.</summary>
    const int MostKeys = 1024;

    readonly CodeCache<RowBlockKey> _blocks = new("Rows", key => key.Emitter().Emit());
    readonly CodeCache<SoftmaxKey> _softmaxes = new("Softmax", key => new SoftmaxEmitter(key.Keys, key.Quads).Emit());

    /// <summary>One for the process: registries share its code.</summary>
    static readonly GeneratedRows Shared = new();

    GeneratedRows() { }

    /// <summary>Null where a cap, the machine or the system does not allow them.</summary>
    public static GeneratedRows? Under(KernelIsa cap) =>
        cap >= Isa && Isa.IsAccelerated && CpuFeatures.Avx512Vbmi && ExecutableMemory.Refusal is null ? Shared : null;

    /// <summary>Whether blocks of M rows of K elements are quantised by this.</summary>
    public static bool FitsBlock(int m, int k) => m >= RowQuadEmitter.Rows && k % RowQuadEmitter.Block == 0;

    /// <summary>Whether M rows of scores of N keys are.</summary>
    public static bool FitsSoftmax(int m, int n) => m >= RowQuadEmitter.Rows && n <= MostKeys;

    /// <summary><see cref="RowBlockOps.Quantize"/>.</summary>
    public void Quantize(float* x, int m, int k, byte* q, float* scales, float* maxima) =>
        Run(maxima is null ? RowWork.Quantize : RowWork.QuantizeMeasured, m, k, new() { X = x, Quantized = q, Scales = scales, Maxima = maxima });

    /// <summary><see cref="RowBlockOps.LayerNormQuantize"/>.</summary>
    public void LayerNormQuantize(float* x, int m, in NormOperands norm, float* y, byte* q, float* scales) => Run(RowWork.LayerNormQuantize, m, norm.Length, new()
    {
        X = x, Quantized = q, Scales = scales, Normed = y, Gamma = norm.Gamma, Beta = norm.Beta, Epsilon = norm.Epsilon,
    });

    /// <summary>Rows that do not fill a group are quads, the last of which ends with the last row: what is done twice is the same twice.</summary>
    void Run(RowWork work, int m, int k, RowArguments start)
    {
        (start.Stride, start.Length, start.Blocks) = (k * sizeof(float), k, k / RowQuadEmitter.Block);
        start.Constants = HeadConstants.Pointer;
        var groups = m / RowQuadEmitter.MostRows;
        if (groups > 0) Run(new(work, 2), groups, start);
        for (var row = groups * RowQuadEmitter.MostRows; row < m; row += RowQuadEmitter.Rows)
        {
            var (rest, first) = (start, int.Min(row, m - RowQuadEmitter.Rows));
            rest.X += (nint)first * k;
            rest.Normed += (nint)first * k;
            rest.Quantized += (nint)first * k;
            rest.Scales += first;
            rest.Maxima += first * RowOps.MaximumLanes;
            Run(new(work, 1), 1, rest);
        }
    }

    void Run(RowBlockKey key, int groups, RowArguments arguments)
    {
        arguments.Groups = groups;
        ((delegate* unmanaged<RowArguments*, void>)_blocks.Get(key))(&arguments);
    }

    /// <summary><see cref="AttentionOps.Softmax"/>. The last quad may find its factors replaced, so they are kept.</summary>
    [SkipLocalsInit]
    public void Softmax(in SoftmaxOperands o)
    {
        var padded = AttentionOps.Padded(o.Keys);
        var scaled = stackalloc float[RowQuadEmitter.MostRows * padded];
        var lastFactors = stackalloc float[RowQuadEmitter.Rows];
        var last = o.Rows - RowQuadEmitter.Rows;
        new ReadOnlySpan<float>(o.Factors + last, RowQuadEmitter.Rows).CopyTo(new(lastFactors, RowQuadEmitter.Rows));
        var start = new SoftmaxArguments
        {
            Scores = o.Scores, ScoreStride = o.ScoreStride * sizeof(int), KeyScales = o.KeyScales, Factors = o.Factors, Reciprocals = o.Factors,
            Probabilities = o.Probabilities, Scaled = scaled, Constants = HeadConstants.Pointer, Table = SoftmaxConstants.Pointer,
        };
        var groups = o.Rows / RowQuadEmitter.MostRows;
        if (groups > 0) Run(new SoftmaxKey(o.Keys, 2), groups, start);
        for (var row = groups * RowQuadEmitter.MostRows; row < o.Rows; row += RowQuadEmitter.Rows)
        {
            var (rest, first) = (start, int.Min(row, last));
            rest.Scores += first * o.ScoreStride;
            rest.Factors = first == last ? lastFactors : o.Factors + first;
            rest.Reciprocals += first;
            rest.Probabilities += (nint)first * padded;
            Run(new SoftmaxKey(o.Keys, 1), 1, rest);
        }
    }

    void Run(SoftmaxKey key, int groups, SoftmaxArguments arguments)
    {
        arguments.Groups = groups;
        ((delegate* unmanaged<SoftmaxArguments*, void>)_softmaxes.Get(key))(&arguments);
    }
}

/// <summary>What becomes of a block of rows.</summary>
enum RowWork
{
    Quantize,

    /// <summary>The largest magnitudes are known.</summary>
    QuantizeMeasured,
    LayerNormQuantize,
}

/// <summary>What code of <see cref="RowBlockEmitter"/> is made for.</summary>
/// <param name="Work">What it does.</param>
/// <param name="Quads">Quads of a group.</param>
readonly record struct RowBlockKey(RowWork Work, int Quads)
{
    public RowBlockEmitter Emitter() =>
        Work == RowWork.LayerNormQuantize ? new NormedBlockEmitter(Quads) : new RowBlockEmitter(Quads, Work == RowWork.QuantizeMeasured);

    public override string ToString() => $"{Work}_{Quads * RowQuadEmitter.Rows}";
}

/// <summary>What code of <see cref="SoftmaxEmitter"/> is made for.</summary>
/// <param name="Keys">N.</param>
/// <param name="Quads">Quads of a group.</param>
readonly record struct SoftmaxKey(int Keys, int Quads)
{
    public override string ToString() => $"Softmax_{Quads * RowQuadEmitter.Rows}x{Keys}";
}
