using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Kernels.Portable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Row operations on blocks of rows, one after the other in memory; the bits are those of <see cref="RowOps"/> row by row. Each pass goes
/// over several rows before the next begins, as many as the first-level cache holds: what one row waits for, a sum across lanes or a
/// division, another computes meanwhile. Generated code does it where there is any.
/// </summary>
sealed unsafe class RowBlockOps(RowOps rows, GeneratedRows? generated = null)
{
    const int MostRowsAtATime = 32, ElementsAtATime = 4096;

    /// <summary><see cref="RowOps.Quantize"/> of each row.</summary>
    /// <param name="x">[M,K].</param>
    /// <param name="m">M.</param>
    /// <param name="k">K.</param>
    /// <param name="q">[M,K].</param>
    /// <param name="scales">s [M].</param>
    /// <param name="maxima">[M,16], the largest magnitudes of each row among its lanes, or null: saves a pass.</param>
    public void Quantize(float* x, int m, int k, byte* q, float* scales, float* maxima = null)
    {
        if (generated is not null && GeneratedRows.FitsBlock(m, k))
        {
            generated.Quantize(x, m, k, q, scales, maxima);
            return;
        }
        for (int count; m > 0; m -= count, x += (long)count * k, q += (long)count * k, scales += count)
        {
            count = int.Min(m, RowsAtATime(k));
            if (Fits<FloatLanes512>(KernelIsa.Vector512, k)) Quantize<FloatLanes512>(x, count, k, q, scales);
            else if (Fits<FloatLanes256>(KernelIsa.Vector256, k)) Quantize<FloatLanes256>(x, count, k, q, scales);
            else if (Fits<FloatLanes128>(KernelIsa.Vector128, k)) Quantize<FloatLanes128>(x, count, k, q, scales);
            else for (var row = 0; row < count; row++) scales[row] = rows.Quantize(x + (long)row * k, k, q + (long)row * k);
        }
    }

    /// <summary><see cref="RowOps.LayerNorm"/>, then <see cref="RowOps.Quantize"/>, of each row.</summary>
    /// <param name="x">[M,K].</param>
    /// <param name="m">M.</param>
    /// <param name="norm">Of K elements.</param>
    /// <param name="y">[M,K], the normed rows; not where x is.</param>
    /// <param name="q">[M,K].</param>
    /// <param name="scales">s [M].</param>
    public void LayerNormQuantize(float* x, int m, in NormOperands norm, float* y, byte* q, float* scales)
    {
        var k = norm.Length;
        if (generated is not null && GeneratedRows.FitsBlock(m, k))
        {
            generated.LayerNormQuantize(x, m, norm, y, q, scales);
            return;
        }
        for (int count; m > 0; m -= count, x += (long)count * k, y += (long)count * k, q += (long)count * k, scales += count)
        {
            count = int.Min(m, RowsAtATime(k));
            if (Fits<FloatLanes512>(KernelIsa.Vector512, k)) LayerNormQuantize<FloatLanes512>(x, count, norm, y, q, scales);
            else if (Fits<FloatLanes256>(KernelIsa.Vector256, k)) LayerNormQuantize<FloatLanes256>(x, count, norm, y, q, scales);
            else if (Fits<FloatLanes128>(KernelIsa.Vector128, k)) LayerNormQuantize<FloatLanes128>(x, count, norm, y, q, scales);
            else
                for (var row = 0; row < count; row++)
                {
                    rows.LayerNorm(x + (long)row * k, norm.Gamma, norm.Beta, norm.Epsilon, k, y + (long)row * k);
                    scales[row] = rows.Quantize(y + (long)row * k, k, q + (long)row * k);
                }
        }
    }

    static int RowsAtATime(int k) => Math.Clamp(ElementsAtATime / k, 1, MostRowsAtATime);

    /// <summary>Whether rows are whole groups of four of the widest vectors: narrower ones would add in another order.</summary>
    bool Fits<T>(KernelIsa isa, int k) where T : struct, IFloatLanes<T> => rows.Widest == isa && k % (4 * T.Count) == 0;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Quantize<T>(float* x, int m, int k, byte* q, float* scales) where T : struct, IFloatLanes<T>
    {
        for (var row = 0; row < m; row++) scales[row] = Magnitude<T>(x + (long)row * k, k);
        Round<T>(x, m, k, q, scales);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void LayerNormQuantize<T>(float* x, int m, in NormOperands norm, float* y, byte* q, float* scales) where T : struct, IFloatLanes<T>
    {
        var k = norm.Length;
        var means = stackalloc float[MostRowsAtATime];
        var factors = stackalloc float[MostRowsAtATime];
        for (var row = 0; row < m; row++) factors[row] = Spread<T>(x + (long)row * k, norm, out means[row]);
        for (var row = 0; row < m; row++)
            scales[row] = Normalize<T>(x + (long)row * k, norm, means[row], factors[row], y + (long)row * k);
        Round<T>(y, m, k, q, scales);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Magnitude<T>(float* x, int k) where T : struct, IFloatLanes<T>
    {
        var max = T.Abs(T.Load(x));
        for (nint i = T.Count; i < k; i += T.Count) max = T.Max(max, T.Abs(T.Load(x + i)));
        return max.MaxLane();
    }

    /// <summary>1 / sqrt(variance + eps); the variance in a second pass.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Spread<T>(float* x, in NormOperands norm, out float mean) where T : struct, IFloatLanes<T>
    {
        T sum = default, squares = default;
        for (nint i = 0; i < norm.Length; i += T.Count) sum += T.Load(x + i);
        mean = sum.SumLanes() / norm.Length;
        var centre = T.Create(mean);
        for (nint i = 0; i < norm.Length; i += T.Count)
        {
            var deviation = T.Load(x + i) - centre;
            squares += deviation * deviation;
        }
        return 1 / MathF.Sqrt(squares.SumLanes() / norm.Length + norm.Epsilon);
    }

    /// <summary>y = (x - mean) factor gamma + beta; returns max |y|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Normalize<T>(float* x, in NormOperands norm, float mean, float factor, float* y) where T : struct, IFloatLanes<T>
    {
        var (centre, factors, max) = (T.Create(mean), T.Create(factor), T.Create(0));
        for (nint i = 0; i < norm.Length; i += T.Count)
        {
            var value = (T.Load(x + i) - centre) * factors * T.Load(norm.Gamma + i) + T.Load(norm.Beta + i);
            value.Store(y + i);
            max = T.Max(max, T.Abs(value));
        }
        return max.MaxLane();
    }

    /// <summary>Quantises rows whose largest magnitudes stand where their scales will.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Round<T>(float* x, int m, int k, byte* q, float* scales) where T : struct, IFloatLanes<T>
    {
        for (var row = 0; row < m; row++, x += k, q += k)
        {
            var max = scales[row];
            var zero = max < Negligible.Below;
            var r = T.Create(zero ? 0 : 127 / max);
            scales[row] = zero ? 1 : max / 127;
            for (nint i = 0; i < k; i += 4 * T.Count)
            {
                var (a, b) = (T.Load(x + i) * r, T.Load(x + i + T.Count) * r);
                var (c, d) = (T.Load(x + i + 2 * T.Count) * r, T.Load(x + i + 3 * T.Count) * r);
                T.StoreQuantized(a, b, c, d, q + i);
            }
        }
    }
}

/// <summary>A layer norm of K elements.</summary>
unsafe struct NormOperands
{
    /// <summary>K.</summary>
    public required int Length;
    public required float* Gamma, Beta;
    public required float Epsilon;
}
