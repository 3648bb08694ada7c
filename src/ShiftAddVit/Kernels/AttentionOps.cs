using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Kernels.Portable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// What attention on bytes does around its two integer products, on blocks of rows, in vectors of up to a given width, or by generated code
/// where there is any. All input is finite.
/// The bits are those of <see cref="Reference.AttentionReference"/> in every width. Strides are in elements.
/// </summary>
sealed unsafe class AttentionOps(KernelIsa widest, GeneratedRows? generated = null)
{
    /// <summary>A row of probabilities is padded to a multiple of this; the padding is written, as 0.</summary>
    public const int ProbabilityPadding = 64;

    /// <summary>Rows between which a pass is changed: what one waits for, another computes meanwhile.</summary>
    const int RowsAtATime = 8;

    /// <summary>N rounded up to <see cref="ProbabilityPadding"/>.</summary>
    public static int Padded(int n) => (n + ProbabilityPadding - 1) & -ProbabilityPadding;

    /// <summary>Quantises each head of each row on its own, as <see cref="RowOps.Quantize"/>.</summary>
    public void QuantizeHeads(in HeadOperands o)
    {
        if (widest >= KernelIsa.Vector512 && o.HeadSize % FloatLanes512.Count == 0) Heads<FloatLanes512>(o);
        else if (widest >= KernelIsa.Vector256 && o.HeadSize % FloatLanes256.Count == 0) Heads<FloatLanes256>(o);
        else if (widest >= KernelIsa.Vector128 && o.HeadSize % FloatLanes128.Count == 0) Heads<FloatLanes128>(o);
        else Heads<FloatLanes1>(o);
    }

    /// <summary>
    /// z[j] = (float)acc[m,j] * sk[j]; p[m,j] = table[min(255, roundHalfEven((max z - z[j]) * factor[m]))], <see cref="ExponentialTable"/>;
    /// then factor[m] = 1 / SUM_j p[m,j]. The sum is at least 255: the largest is 255.
    /// </summary>
    public void Softmax(in SoftmaxOperands operands)
    {
        if (generated is not null && GeneratedRows.FitsSoftmax(operands.Rows, operands.Keys))
        {
            generated.Softmax(operands);
            return;
        }
        Softmax<ScaledScores>(operands);
    }

    /// <summary>
    /// The same of z[j] = (float)acc[m,j] * (rowScale[m] * sk[j]) + beta[j], its factors the same for all rows: <see cref="ExponentialTable.StepsPerUnit"/>.
    /// </summary>
    public void BiasedSoftmax(in SoftmaxOperands operands)
    {
        new Span<float>(operands.Factors, operands.Rows).Fill(ExponentialTable.StepsPerUnit);
        Softmax<BiasedScores>(operands);
    }

    void Softmax<TScores>(in SoftmaxOperands operands) where TScores : struct, IScores<TScores>
    {
        var o = operands;
        for (var rest = operands.Rows; rest > 0; rest -= RowsAtATime)
        {
            o.Rows = int.Min(rest, RowsAtATime);
            if (widest >= KernelIsa.Vector512 && o.Keys >= FloatLanes512.Count) Steps<FloatLanes512, TScores>(o);
            else if (widest >= KernelIsa.Vector256 && o.Keys >= FloatLanes256.Count) Steps<FloatLanes256, TScores>(o);
            else if (widest >= KernelIsa.Vector128 && o.Keys >= FloatLanes128.Count) Steps<FloatLanes128, TScores>(o);
            else Steps<FloatLanes1, TScores>(o);
            LookUp(o);
            o.Scores += RowsAtATime * o.ScoreStride;
            o.Probabilities += RowsAtATime * Padded(o.Keys);
            o.Factors += RowsAtATime;
            o.RowScales += RowsAtATime;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Heads<T>(in HeadOperands operands) where T : struct, IFloatLanes<T>
    {
        var o = operands;
        for (var row = 0; row < o.Rows; row++, o.X += o.XStride, o.Q += o.QStride, o.Scales++)
            for (var h = 0; h < o.Heads; h++)
            {
                var x = o.X + h * o.HeadSize;
                var magnitude = T.Abs(T.Load(x));
                for (nint i = T.Count; i < o.HeadSize; i += T.Count) magnitude = T.Max(magnitude, T.Abs(T.Load(x + i)));
                var max = magnitude.MaxLane();
                var zero = max < Negligible.Below;
                o.Scales[h * o.ScaleStride] = zero ? 1 : max / 127;
                Round(x, T.Create(zero ? 0 : 127 / max), o.HeadSize, o.Q + h * o.HeadSize);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Round<T>(float* x, T reciprocal, int length, byte* q) where T : struct, IFloatLanes<T>
    {
        nint i = 0;
        for (; i <= length - 4 * T.Count; i += 4 * T.Count)
        {
            var a = T.Load(x + i) * reciprocal;
            var b = T.Load(x + i + T.Count) * reciprocal;
            var c = T.Load(x + i + 2 * T.Count) * reciprocal;
            var d = T.Load(x + i + 3 * T.Count) * reciprocal;
            T.StoreQuantized(a, b, c, d, q + i);
        }
        for (; i < length; i += T.Count) (T.Load(x + i) * reciprocal).StoreQuantized(q + i);
    }

    /// <summary>
    /// Maxima of all rows, then their steps. Padding becomes the step whose entry is 0, here and not beside the look-up, which would have to
    /// wait for it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Steps<T, TScores>(in SoftmaxOperands o) where T : struct, IFloatLanes<T> where TScores : struct, IScores<TScores>
    {
        var maxima = stackalloc float[RowsAtATime];
        for (var row = 0; row < o.Rows; row++) maxima[row] = Largest<T, TScores>(TScores.Of(o, row), o.Keys);
        for (var row = 0; row < o.Rows; row++)
        {
            var p = o.Probabilities + row * Padded(o.Keys);
            new Span<byte>(p + Padded(o.Keys) - ProbabilityPadding, ProbabilityPadding).Fill(ExponentialTable.Length - 1);
            StepsBelow(T.Create(maxima[row]), TScores.Of(o, row), T.Create(o.Factors[row]), o.Keys, p);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Largest<T, TScores>(TScores z, int n) where T : struct, IFloatLanes<T> where TScores : struct, IScores<TScores>
    {
        nint last = n - T.Count;
        var maxima = z.At<T>(last);
        for (nint i = 0; i < last; i += T.Count) maxima = T.Max(maxima, z.At<T>(i));
        return maxima.MaxLane();
    }

    /// <summary>The last vector overlaps the one before it: what is written twice is the same twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StepsBelow<T, TScores>(T max, TScores z, T factor, int n, byte* p) where T : struct, IFloatLanes<T> where TScores : struct, IScores<TScores>
    {
        nint last = n - T.Count, i = 0;
        for (; i <= n - 4 * T.Count; i += 4 * T.Count)
        {
            var a = (max - z.At<T>(i)) * factor;
            var b = (max - z.At<T>(i + T.Count)) * factor;
            var c = (max - z.At<T>(i + 2 * T.Count)) * factor;
            var d = (max - z.At<T>(i + 3 * T.Count)) * factor;
            T.StoreSaturated(a, b, c, d, p + i);
        }
        for (; i < last; i += T.Count) ((max - z.At<T>(i)) * factor).StoreSaturated(p + i);
        ((max - z.At<T>(last)) * factor).StoreSaturated(p + last);
    }

    void LookUp(in SoftmaxOperands o)
    {
        var padded = Padded(o.Keys);
        for (var row = 0; row < o.Rows; row++)
            o.Factors[row] = 1f / ByteTable.LookUp(o.Probabilities + row * padded, padded, ExponentialTable.Values, widest);
    }
}

/// <summary>Rows of heads to quantise.</summary>
unsafe struct HeadOperands
{
    public required int Rows, Heads, HeadSize;

    /// <summary>[rows, heads * D].</summary>
    public required float* X;
    public required nint XStride;

    /// <summary>[rows, heads * D].</summary>
    public required byte* Q;
    public required nint QStride;

    /// <summary>s of row m and head h at m + h * ScaleStride.</summary>
    public required float* Scales;
    public required nint ScaleStride;
}

/// <summary>Rows of scores to make probabilities of.</summary>
unsafe struct SoftmaxOperands
{
    public required int Rows, Keys;

    /// <summary>acc [rows, keys].</summary>
    public required int* Scores;
    public required nint ScoreStride;

    /// <summary>sk [keys], positive.</summary>
    public required float* KeyScales;

    /// <summary>[rows]: steps of the table a unit of z, positive; then 1 / SUM p.</summary>
    public required float* Factors;

    /// <summary>p [rows, keys and their padding].</summary>
    public required byte* Probabilities;

    /// <summary>Of biased scores: [rows], and beta [keys].</summary>
    public float* RowScales, Biases;
}

/// <summary>The scores z of a row.</summary>
interface IScores<T> where T : struct, IScores<T>
{
    static abstract T Of(in SoftmaxOperands o, int row);

    TLanes At<TLanes>(nint key) where TLanes : struct, IFloatLanes<TLanes>;
}

readonly unsafe struct ScaledScores(int* acc, float* keyScales) : IScores<ScaledScores>
{
    public static ScaledScores Of(in SoftmaxOperands o, int row) => new(o.Scores + row * o.ScoreStride, o.KeyScales);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes At<TLanes>(nint key) where TLanes : struct, IFloatLanes<TLanes> => TLanes.LoadInt32(acc + key) * TLanes.Load(keyScales + key);
}

readonly unsafe struct BiasedScores(int* acc, float rowScale, float* keyScales, float* biases) : IScores<BiasedScores>
{
    public static BiasedScores Of(in SoftmaxOperands o, int row) => new(o.Scores + row * o.ScoreStride, o.RowScales[row], o.KeyScales, o.Biases);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes At<TLanes>(nint key) where TLanes : struct, IFloatLanes<TLanes> =>
        TLanes.LoadInt32(acc + key) * (TLanes.Create(rowScale) * TLanes.Load(keyScales + key)) + TLanes.Load(biases + key);
}
