using System.Numerics;
using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>
/// What linear attention does around its two sums of masked rows (<see cref="AddTokensKernel"/>, <see cref="AddCodesKernel"/>), in vectors of up to a
/// given width. All input is finite. The bits are those of <see cref="Reference.LinearAttentionReference"/> in every width. Strides are in elements.
/// </summary>
sealed unsafe class LinearAttentionOps(KernelIsa widest)
{
    /// <summary>Added to the squared length that angular attention divides by the root of.</summary>
    public const float NormEpsilon = 1e-6f;

    /// <summary>w[j] = e^(beta[j] - max beta) / SUM_j e^(beta[j] - max beta). w may be beta.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Weigh(float* beta, int n, float* w)
    {
        if (w != beta) new ReadOnlySpan<float>(beta, n).CopyTo(new(w, n));
        var value = new Value { X = w };
        var max = Traversal.Max(ref value, n, widest, float.MinValue);
        var exponential = new Exponential { X = w, Max = max, Factor = 1 };
        var sum = LaneSum.Of(ref exponential, n, widest);
        var scale = new Scale { X = w, Factor = 1 / sum };
        Traversal.ForEach(ref scale, n, widest);
    }

    /// <summary>mu[d] = SUM_j w[j] v[j,d], j ascending, each step one <see cref="float.MultiplyAddEstimate"/>.</summary>
    /// <param name="w">[N].</param>
    /// <param name="v">[N,D].</param>
    /// <param name="stride">From one row of v to the next.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="mean">mu [D].</param>
    public void Mean(float* w, float* v, nint stride, int n, int d, float* mean)
    {
        var c = 0;
        if (widest >= KernelIsa.Vector512) c = Mean<FloatLanes512>(w, v, stride, n, c, d, mean);
        if (widest >= KernelIsa.Vector256) c = Mean<FloatLanes256>(w, v, stride, n, c, d, mean);
        if (widest >= KernelIsa.Vector128) c = Mean<FloatLanes128>(w, v, stride, n, c, d, mean);
        Mean<FloatLanes1>(w, v, stride, n, c, d, mean);
    }

    /// <summary>
    /// Makes of A, whose codes were 1 and 0, what the second sum needs to come out for the codes that they stand for.
    /// Of +1 and -1, with totals u[d] = SUM_t u[t,d]: A becomes 2 (2 A - u), to which that sum adds up once for each bit; offset[d] = -SUM_i (2 A[i,d] - u[d])
    /// is still to be added, and with it weight * u[d]. Of 1 and 0 A stays, and the offset is weight * u[d].
    /// </summary>
    /// <param name="a">A [I,D].</param>
    /// <param name="stride">From one row of A to the next.</param>
    /// <param name="bits">I.</param>
    /// <param name="d">D.</param>
    /// <param name="totals">[D].</param>
    /// <param name="signed">Whether codes stand for +1 and -1.</param>
    /// <param name="weight">Of the totals.</param>
    /// <param name="offsets">[D].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Sign(int* a, nint stride, int bits, int d, int* totals, bool signed, int weight, int* offsets)
    {
        var c = 0;
        for (; signed && c <= d - Vector<int>.Count; c += Vector<int>.Count)
        {
            var total = Vector.Load(totals + c);
            var offset = total * weight;
            for (var i = 0; i < bits; i++)
            {
                var sum = (Vector.Load(a + i * stride + c) << 1) - total;
                offset -= sum;
                (sum << 1).Store(a + i * stride + c);
            }
            offset.Store(offsets + c);
        }
        for (; c < d; c++)
        {
            offsets[c] = weight * totals[c];
            for (var i = 0; signed && i < bits; i++)
            {
                var sum = 2 * a[i * stride + c] - totals[c];
                offsets[c] -= sum;
                a[i * stride + c] = 2 * sum;
            }
        }
    }

    /// <summary>
    /// y = s (factor[t] * scale[d]) + mu[d], then + a[d] v[t,d], then + the 3x3 filter of the channel on the grid of patches, row by row;
    /// s = (float)(acc[t,d] + offset[d]), the latter two by <see cref="float.MultiplyAddEstimate"/>.
    /// </summary>
    public void CombineTaylor(in CombineOperands o)
    {
        var c = 0;
        if (widest >= KernelIsa.Vector512) c = Taylor<FloatLanes512>(o, c);
        if (widest >= KernelIsa.Vector256) c = Taylor<FloatLanes256>(o, c);
        if (widest >= KernelIsa.Vector128) c = Taylor<FloatLanes128>(o, c);
        Taylor<FloatLanes1>(o, c);
    }

    /// <summary>
    /// x = s scale[d] + v[t,d] / 2, y = x / sqrt(SUM_d x^2 + epsilon) in the order of <see cref="LaneSum"/>, then + the filter along the tokens.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CombineAngular(in CombineOperands o)
    {
        for (var t = 0; t < o.Tokens; t++)
        {
            var y = o.Output + t * o.OutputStride;
            var half = new HalfValue
            {
                Sums = o.Sums + t * o.SumStride, Offsets = o.Offsets, Scales = o.Scales, Values = o.Values + (o.First + t) * o.ValueStride, Y = y,
            };
            var squares = LaneSum.Of(ref half, o.HeadSize, widest);
            var scale = new Scale { X = y, Factor = 1 / MathF.Sqrt(squares + NormEpsilon) };
            Traversal.ForEach(ref scale, o.HeadSize, widest);
            if (o.Filters is null) continue;
            var convolution = new TokenFilter
            {
                Taps = o.Filters, Values = o.Values, Stride = o.ValueStride, Token = o.First + t, Tokens = o.AllTokens, Y = y,
            };
            Traversal.ForEach(ref convolution, o.HeadSize, widest);
        }
    }

    /// <summary>y = s (factor[t] * scale[d]).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CombineEcoFormer(in CombineOperands o)
    {
        for (var t = 0; t < o.Tokens; t++)
        {
            var share = new ScaledSum
            {
                Sums = o.Sums + t * o.SumStride, Offsets = o.Offsets, Scales = o.Scales, Factor = o.Factors[t], Y = o.Output + t * o.OutputStride,
            };
            Traversal.ForEach(ref share, o.HeadSize, widest);
        }
    }

    /// <summary>The whole vectors of channels from one on; returns the first channel that is left. Four at a time keep the adders busy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Mean<T>(float* w, float* v, nint stride, int n, int c, int d, float* mean) where T : struct, IFloatLanes<T>
    {
        for (; c <= d - 4 * T.Count; c += 4 * T.Count)
        {
            T m0 = default, m1 = default, m2 = default, m3 = default;
            var x = v + c;
            for (var j = 0; j < n; j++, x += stride)
            {
                var weight = T.Create(w[j]);
                m0 = T.MultiplyAdd(weight, T.Load(x), m0);
                m1 = T.MultiplyAdd(weight, T.Load(x + T.Count), m1);
                m2 = T.MultiplyAdd(weight, T.Load(x + 2 * T.Count), m2);
                m3 = T.MultiplyAdd(weight, T.Load(x + 3 * T.Count), m3);
            }
            m0.Store(mean + c);
            m1.Store(mean + c + T.Count);
            m2.Store(mean + c + 2 * T.Count);
            m3.Store(mean + c + 3 * T.Count);
        }
        for (; c <= d - T.Count; c += T.Count)
        {
            T sum = default;
            for (var j = 0; j < n; j++) sum = T.MultiplyAdd(T.Create(w[j]), T.Load(v + j * stride + c), sum);
            sum.Store(mean + c);
        }
        return c;
    }

    /// <summary>The whole vectors of channels from one on; returns the first channel that is left.</summary>
    static int Taylor<T>(in CombineOperands o, int c) where T : struct, IFloatLanes<T>
    {
        for (; c <= o.HeadSize - T.Count; c += T.Count)
            if (o.Filters is null) TaylorChannels<T>(o, c);
            else TaylorGrid<T>(o, c);
        return c;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void TaylorChannels<T>(in CombineOperands o, int c) where T : struct, IFloatLanes<T>
    {
        var (scale, mean, skip) = (T.Load(o.Scales + c), T.Load(o.Mean + c), T.Load(o.Skip + c));
        for (var t = 0; t < o.Tokens; t++)
        {
            var v = T.Load(o.Values + (o.First + t) * o.ValueStride + c);
            var y = T.LoadInt32(o.Sums + t * o.SumStride + c, o.Offsets + c) * (T.Create(o.Factors[t]) * scale) + mean;
            T.MultiplyAdd(skip, v, y).Store(o.Output + t * o.OutputStride + c);
        }
    }

    /// <summary>Its filter stays in registers; tokens go row by row over the grid.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void TaylorGrid<T>(in CombineOperands o, int c) where T : struct, IFloatLanes<T>
    {
        var (scale, mean, skip) = (T.Load(o.Scales + c), T.Load(o.Mean + c), T.Load(o.Skip + c));
        var (a0, a1, a2) = (Tap<T>(o, c, 0), Tap<T>(o, c, 1), Tap<T>(o, c, 2));
        var (b0, b1, b2) = (Tap<T>(o, c, 3), Tap<T>(o, c, 4), Tap<T>(o, c, 5));
        var (c0, c1, c2) = (Tap<T>(o, c, 6), Tap<T>(o, c, 7), Tap<T>(o, c, 8));
        var sums = o.Sums + c;
        var offsets = o.Offsets + c;
        var output = o.Output + c;
        var factors = o.Factors;
        var v = o.Values + o.First * o.ValueStride + c;
        var (column, row, side) = (o.ValueStride, o.ValueStride * o.GridSide, o.GridSide);
        // Prefix tokens stand before the first patch.
        var (y, x) = o.First < o.PrefixTokens ? (0, o.First - o.PrefixTokens) : Math.DivRem(o.First - o.PrefixTokens, side);
        for (var rest = o.Tokens; rest > 0; rest--, sums += o.SumStride, output += o.OutputStride, v += column, factors++)
        {
            var sum = T.LoadInt32(sums, offsets) * (T.Create(*factors) * scale) + mean;
            sum = T.MultiplyAdd(skip, T.Load(v), sum);
            if (x >= 0)
            {
                var (left, right) = (x > 0, x < side - 1);
                if (y > 0) sum = AddTaps(sum, v - row, column, a0, a1, a2, left, right);
                sum = AddTaps(sum, v, column, b0, b1, b2, left, right);
                if (y < side - 1) sum = AddTaps(sum, v + row, column, c0, c1, c2, left, right);
            }
            sum.Store(output);
            if (++x == side) (x, y) = (0, y + 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T Tap<T>(in CombineOperands o, int c, int k) where T : struct, IFloatLanes<T> => T.Load(o.Filters + k * o.FilterStride + c);

    /// <summary>A row of the filter, without what lies beyond the grid.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T AddTaps<T>(T sum, float* v, nint column, T before, T at, T after, bool left, bool right) where T : struct, IFloatLanes<T>
    {
        if (left) sum = T.MultiplyAdd(before, T.Load(v - column), sum);
        sum = T.MultiplyAdd(at, T.Load(v), sum);
        return right ? T.MultiplyAdd(after, T.Load(v + column), sum) : sum;
    }
}

/// <summary>Tokens of a head whose outputs are put together.</summary>
unsafe struct CombineOperands
{
    /// <summary>How many, from which on, of how many.</summary>
    public required int Tokens, First, AllTokens;

    /// <summary>D.</summary>
    public required int HeadSize;

    /// <summary>acc [tokens,D].</summary>
    public required int* Sums;
    public required nint SumStride;

    /// <summary>[D].</summary>
    public required int* Offsets;

    /// <summary>[D].</summary>
    public required float* Scales;

    /// <summary>[tokens]; not of angular attention.</summary>
    public required float* Factors;

    /// <summary>v of all tokens, [N,D].</summary>
    public required float* Values;
    public required nint ValueStride;

    /// <summary>y [tokens,D].</summary>
    public required float* Output;
    public required nint OutputStride;

    /// <summary>Of Taylor attention: mu [D] and a [D].</summary>
    public float* Mean, Skip;

    /// <summary>[9,D] of the grid, or [9] along the tokens; null for none.</summary>
    public float* Filters;
    public nint FilterStride;

    /// <summary>Tokens before the patches, and patches along a side of the grid.</summary>
    public int PrefixTokens, GridSide;
}
