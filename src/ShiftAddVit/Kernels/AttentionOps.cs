using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// What attention on bytes does between its two integer products, in vectors of up to a given width. All input is finite. The bits are
/// those of <see cref="Reference.AttentionReference"/> in every width.
/// </summary>
sealed unsafe class AttentionOps(KernelIsa widest)
{
    /// <summary>A row of probabilities is padded to a multiple of this; the padding is written, as 0.</summary>
    public const int ProbabilityPadding = 64;

    /// <summary>Quantises each head of a row on its own, as <see cref="RowOps.Quantize"/>.</summary>
    /// <param name="x">[heads,D].</param>
    /// <param name="heads">How many.</param>
    /// <param name="d">D.</param>
    /// <param name="q">[heads,D].</param>
    /// <param name="scales">s of head h at h * <paramref name="scaleStride"/>.</param>
    /// <param name="scaleStride">In elements.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void QuantizeHeads(float* x, int heads, int d, byte* q, float* scales, nint scaleStride)
    {
        if (widest >= KernelIsa.Vector512 && d % FloatLanes512.Count == 0) Heads<FloatLanes512>(x, heads, d, q, scales, scaleStride);
        else if (widest >= KernelIsa.Vector256 && d % FloatLanes256.Count == 0) Heads<FloatLanes256>(x, heads, d, q, scales, scaleStride);
        else if (widest >= KernelIsa.Vector128 && d % FloatLanes128.Count == 0) Heads<FloatLanes128>(x, heads, d, q, scales, scaleStride);
        else Heads<FloatLanes1>(x, heads, d, q, scales, scaleStride);
    }

    /// <summary>
    /// z[j] = (float)acc[j] * sk[j]; p[j] = table[min(255, roundHalfEven((max z - z[j]) * factor))], <see cref="ExponentialTable"/>.
    /// </summary>
    /// <param name="acc">[N].</param>
    /// <param name="sk">[N], positive.</param>
    /// <param name="factor">Steps of the table a unit of z, positive.</param>
    /// <param name="n">N, at least 1.</param>
    /// <param name="p">[N] and its padding.</param>
    /// <returns>SUM_j p[j], at least 255: the largest is 255.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Softmax(int* acc, float* sk, float factor, int n, byte* p)
    {
        if (widest >= KernelIsa.Vector512 && n >= FloatLanes512.Count) Steps<FloatLanes512>(acc, sk, factor, n, p);
        else if (widest >= KernelIsa.Vector256 && n >= FloatLanes256.Count) Steps<FloatLanes256>(acc, sk, factor, n, p);
        else if (widest >= KernelIsa.Vector128 && n >= FloatLanes128.Count) Steps<FloatLanes128>(acc, sk, factor, n, p);
        else Steps<FloatLanes1>(acc, sk, factor, n, p);
        var padded = (n + ProbabilityPadding - 1) & -ProbabilityPadding;
        new Span<byte>(p + n, padded - n).Fill(ExponentialTable.Length - 1);
        return ByteTable.LookUp(p, padded, ExponentialTable.Values, widest);
    }

    /// <summary>Quantises values with one scale a channel: q[j,d] = roundHalfEven(v[j,d] * (127 / max_j |v[j,d]|)) + 128.</summary>
    /// <param name="v">[N,D].</param>
    /// <param name="stride">Elements from one row of v to the next.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="q">[N,D].</param>
    /// <param name="scales">sv [D] = max_j |v[j,d]| / 127; 1 for a channel of zeros.</param>
    /// <param name="reciprocals">[D], scratch.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void QuantizeValues(float* v, nint stride, int n, int d, byte* q, float* scales, float* reciprocals)
    {
        if (widest >= KernelIsa.Vector512 && d % FloatLanes512.Count == 0) Values<FloatLanes512>(v, stride, n, d, q, scales, reciprocals);
        else if (widest >= KernelIsa.Vector256 && d % FloatLanes256.Count == 0) Values<FloatLanes256>(v, stride, n, d, q, scales, reciprocals);
        else if (widest >= KernelIsa.Vector128 && d % FloatLanes128.Count == 0) Values<FloatLanes128>(v, stride, n, d, q, scales, reciprocals);
        else Values<FloatLanes1>(v, stride, n, d, q, scales, reciprocals);
    }

    /// <summary>y[d] = (float)(acc[d] + offset[d]) * (factor * sv[d]).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Combine(int* acc, int* offset, float factor, float* sv, int d, float* y)
    {
        var op = new Combine { Acc = acc, Offset = offset, Factor = factor, Scales = sv, Y = y };
        Traversal.ForEach(ref op, d, widest);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Heads<T>(float* x, int heads, int d, byte* q, float* scales, nint scaleStride) where T : struct, IFloatLanes<T>
    {
        for (var h = 0; h < heads; h++, x += d, q += d)
        {
            var magnitude = T.Abs(T.Load(x));
            for (nint i = T.Count; i < d; i += T.Count) magnitude = T.Max(magnitude, T.Abs(T.Load(x + i)));
            var max = magnitude.MaxLane();
            var zero = max < Negligible.Below;
            var reciprocal = T.Create(zero ? 0 : 127 / max);
            scales[h * scaleStride] = zero ? 1 : max / 127;
            nint at = 0;
            for (; at <= d - 4 * T.Count; at += 4 * T.Count) StoreQuantized4(x + at, reciprocal, q + at);
            for (; at < d; at += T.Count) (T.Load(x + at) * reciprocal).StoreQuantized(q + at);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreQuantized4<T>(float* x, T reciprocal, byte* q) where T : struct, IFloatLanes<T>
    {
        var (a, b) = (T.Load(x) * reciprocal, T.Load(x + T.Count) * reciprocal);
        var (c, d) = (T.Load(x + 2 * T.Count) * reciprocal, T.Load(x + 3 * T.Count) * reciprocal);
        T.StoreQuantized(a, b, c, d, q);
    }

    /// <summary>The last vector overlaps the one before it: what is written twice is the same twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Steps<T>(int* acc, float* sk, float factor, int n, byte* p) where T : struct, IFloatLanes<T>
    {
        nint last = n - T.Count, i = 0;
        var maxima = T.LoadInt32(acc + last) * T.Load(sk + last);
        for (; i < last; i += T.Count) maxima = T.Max(maxima, T.LoadInt32(acc + i) * T.Load(sk + i));
        var (max, factors) = (T.Create(maxima.MaxLane()), T.Create(factor));
        for (i = 0; i <= n - 4 * T.Count; i += 4 * T.Count)
        {
            var (a, b) = (StepsBelow(max, acc, sk, factors, i), StepsBelow(max, acc, sk, factors, i + T.Count));
            var (c, d) = (StepsBelow(max, acc, sk, factors, i + 2 * T.Count), StepsBelow(max, acc, sk, factors, i + 3 * T.Count));
            T.StoreSaturated(a, b, c, d, p + i);
        }
        for (; i < last; i += T.Count) StepsBelow(max, acc, sk, factors, i).StoreSaturated(p + i);
        StepsBelow(max, acc, sk, factors, last).StoreSaturated(p + last);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T StepsBelow<T>(T max, int* acc, float* sk, T factors, nint index) where T : struct, IFloatLanes<T> =>
        (max - T.LoadInt32(acc + index) * T.Load(sk + index)) * factors;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Values<T>(float* v, nint stride, int n, int d, byte* q, float* scales, float* reciprocals) where T : struct, IFloatLanes<T>
    {
        for (nint i = 0; i < d; i += T.Count)
        {
            var max = T.Create(0);
            for (nint j = 0; j < n; j++) max = T.Max(max, T.Abs(T.Load(v + j * stride + i)));
            max.Store(scales + i);
        }
        for (nint i = 0; i < d; i++)
        {
            var zero = scales[i] < Negligible.Below;
            reciprocals[i] = zero ? 0 : 127 / scales[i];
            scales[i] = zero ? 1 : scales[i] / 127;
        }
        for (nint j = 0; j < n; j++, v += stride, q += d)
        {
            nint i = 0;
            for (; i <= d - 4 * T.Count; i += 4 * T.Count)
            {
                var (a, b) = (T.Load(v + i) * T.Load(reciprocals + i), T.Load(v + i + T.Count) * T.Load(reciprocals + i + T.Count));
                var third = T.Load(v + i + 2 * T.Count) * T.Load(reciprocals + i + 2 * T.Count);
                var fourth = T.Load(v + i + 3 * T.Count) * T.Load(reciprocals + i + 3 * T.Count);
                T.StoreQuantized(a, b, third, fourth, q + i);
            }
            for (; i < d; i += T.Count) (T.Load(v + i) * T.Load(reciprocals + i)).StoreQuantized(q + i);
        }
    }
}

unsafe struct Combine : ILaneOperator
{
    public required int* Acc;
    public required int* Offset;
    public required float Factor;
    public required float* Scales;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.LoadSum(Acc + index, Offset + index) * (T.Create(Factor) * T.Load(Scales + index));
        y.Store(Y + index);
        return y;
    }
}
