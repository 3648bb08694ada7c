using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Quantises values with one scale a channel, sv[d] = max_j |v[j,d]| / 127 (1 where that is negligible), and packs
/// w[d,j] = roundHalfEven(v[j,d] * (127 / max_j |v[j,d]|)) as the second operand of an integer kernel whose activations have zero point 0:
/// where the kernel takes the starts of its accumulators from the panel they are 0. All input is finite.
/// </summary>
sealed unsafe class ValuePacking(KernelIsa widest)
{
    /// <summary>Tokens that are packed at a time.</summary>
    const int Quad = 4;

    /// <summary>N rounded up to whole quads: the inputs that are packed. Those beyond N are 0.</summary>
    public static int Inputs(int n) => (n + Quad - 1) & -Quad;

    public void Pack(in ValueOperands o)
    {
        if (o.Weights is null) Columns<PlainValues>(o);
        else Columns<CentredValues>(o);
    }

    void Columns<TValues>(in ValueOperands o) where TValues : struct, IValues<TValues>
    {
        if (widest >= KernelIsa.Vector512 && o.HeadSize % FloatLanes512.Count == 0) Columns<FloatLanes512, TValues>(o);
        else if (widest >= KernelIsa.Vector256 && o.HeadSize % FloatLanes256.Count == 0) Columns<FloatLanes256, TValues>(o);
        else if (widest >= KernelIsa.Vector128 && o.HeadSize % FloatLanes128.Count == 0) Columns<FloatLanes128, TValues>(o);
        else Columns<FloatLanes1, TValues>(o);
    }

    /// <summary>A vector of channels at a time, which lies within a panel where the order has quads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Columns<T, TValues>(in ValueOperands o) where T : struct, IFloatLanes<T> where TValues : struct, IValues<TValues>
    {
        var (nr, panelBytes) = (o.Order.Nr, (nint)o.Order.PanelBytes(Inputs(o.Tokens)));
        var direct = o.Order.KGroup == Quad && nr % T.Count == 0;
        for (var channel = 0; channel < o.HeadSize; channel += T.Count)
        {
            var values = TValues.Of(o, channel);
            var reciprocals = Scale(Largest<T, TValues>(values, o.Tokens), o.Scales + channel);
            var total = direct
                ? Quads(o, values, reciprocals, o.Packed + channel / nr * panelBytes + o.Order.StartBytes + channel % nr * Quad, nr * Quad)
                : Scatter(o, channel, values, reciprocals);
            if (o.Totals is not null) StoreWhole(total, o.Totals + channel);
        }
        if (!o.Order.AccumulatorStarts) return;
        for (var channel = 0; channel < o.HeadSize; channel += nr)
            new Span<int>(o.Packed + channel / nr * panelBytes, int.Min(nr, o.HeadSize - channel)).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T Largest<T, TValues>(TValues v, int n) where T : struct, IFloatLanes<T> where TValues : struct, IValues<TValues>
    {
        T even = default, odd = default;
        var j = 0;
        for (; j <= n - Quad; j += Quad)
        {
            even = T.Max(even, T.Max(T.Abs(v.At<T>(j)), T.Abs(v.At<T>(j + 2))));
            odd = T.Max(odd, T.Max(T.Abs(v.At<T>(j + 1)), T.Abs(v.At<T>(j + 3))));
        }
        for (; j < n; j++) even = T.Max(even, T.Abs(v.At<T>(j)));
        return T.Max(even, odd);
    }

    static void StoreWhole<T>(T total, int* totals) where T : struct, IFloatLanes<T>
    {
        var sums = stackalloc float[T.Count];
        total.Store(sums);
        for (var i = 0; i < T.Count; i++) totals[i] = (int)sums[i];
    }

    /// <summary>Writes the scales of largest magnitudes and returns what values are multiplied by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T Scale<T>(T largest, float* scales) where T : struct, IFloatLanes<T>
    {
        var reciprocals = stackalloc float[T.Count];
        largest.Store(scales);
        (T.Create(127) / largest).Store(reciprocals);
        for (var i = 0; i < T.Count; i++)
            if (scales[i] < Negligible.Below) (scales[i], reciprocals[i]) = (127, 0);
        (T.Load(scales) / T.Create(127)).Store(scales);
        return T.Load(reciprocals);
    }

    /// <summary>Returns SUM_j w[d,j], whole numbers below 2^24, which floats add exactly; 0 where nobody asks for them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T Quads<T, TValues>(in ValueOperands o, TValues v, T reciprocals, byte* target, nint step)
        where T : struct, IFloatLanes<T> where TValues : struct, IValues<TValues>
    {
        var (n, j, adds) = (o.Tokens, 0, o.Totals is not null);
        T total = default;
        for (; j <= n - Quad; j += Quad, target += step) StoreQuad(v, j, reciprocals, target, adds, ref total);
        if (j < n) StoreLast(v, j, n, reciprocals, target, ref total);
        return total;
    }

    /// <summary>Any order, byte by byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T Scatter<T, TValues>(in ValueOperands o, int channel, TValues v, T reciprocals)
        where T : struct, IFloatLanes<T> where TValues : struct, IValues<TValues>
    {
        var (nr, group, panelBytes) = (o.Order.Nr, o.Order.KGroup, (nint)o.Order.PanelBytes(Inputs(o.Tokens)));
        var quads = stackalloc byte[T.Count * Quad];
        T total = default;
        for (var token = 0; token < o.Tokens; token += Quad)
        {
            if (token <= o.Tokens - Quad) StoreQuad(v, token, reciprocals, quads, adds: true, ref total);
            else StoreLast(v, token, o.Tokens, reciprocals, quads, ref total);
            for (var i = 0; i < T.Count * Quad; i++)
            {
                var (panel, lane) = Math.DivRem(channel + i / Quad, nr);
                var (groups, input) = Math.DivRem(token + i % Quad, group);
                o.Packed[panel * panelBytes + o.Order.StartBytes + ((nint)groups * nr + lane) * group + input] = quads[i];
            }
        }
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreQuad<T, TValues>(TValues v, int j, T reciprocals, byte* target, bool adds, ref T total)
        where T : struct, IFloatLanes<T> where TValues : struct, IValues<TValues>
    {
        var (a, b) = (v.At<T>(j) * reciprocals, v.At<T>(j + 1) * reciprocals);
        var (c, d) = (v.At<T>(j + 2) * reciprocals, v.At<T>(j + 3) * reciprocals);
        T.StoreSignedQuads(a, b, c, d, target);
        if (adds) total += (T.Round(a) + T.Round(b)) + (T.Round(c) + T.Round(d));
    }

    /// <summary>Fewer than four tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreLast<T, TValues>(TValues v, int j, int n, T reciprocals, byte* target, ref T total)
        where T : struct, IFloatLanes<T> where TValues : struct, IValues<TValues>
    {
        T a = v.At<T>(j) * reciprocals, b = default, c = default;
        if (n - j > 1) b = v.At<T>(j + 1) * reciprocals;
        if (n - j > 2) c = v.At<T>(j + 2) * reciprocals;
        T.StoreSignedQuads(a, b, c, default, target);
        total += (T.Round(a) + T.Round(b)) + T.Round(c);
    }
}

/// <summary>What is packed of a token, for the channels from one on.</summary>
unsafe interface IValues<T> where T : struct, IValues<T>
{
    static abstract T Of(in ValueOperands o, int channel);

    TLanes At<TLanes>(nint token) where TLanes : struct, IFloatLanes<TLanes>;
}

/// <summary>v.</summary>
readonly unsafe struct PlainValues(float* v, nint stride) : IValues<PlainValues>
{
    public static PlainValues Of(in ValueOperands o, int channel) => new(o.Values + channel, o.Stride);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes At<TLanes>(nint token) where TLanes : struct, IFloatLanes<TLanes> => TLanes.Load(v + token * stride);
}

/// <summary>w (v - mu).</summary>
readonly unsafe struct CentredValues(float* v, nint stride, float* weights, float* mean) : IValues<CentredValues>
{
    public static CentredValues Of(in ValueOperands o, int channel) => new(o.Values + channel, o.Stride, o.Weights, o.Mean + channel);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes At<TLanes>(nint token) where TLanes : struct, IFloatLanes<TLanes> =>
        TLanes.Create(weights[token]) * (TLanes.Load(v + token * stride) - TLanes.Load(mean));
}

/// <summary>The values of a head.</summary>
unsafe struct ValueOperands
{
    /// <summary>N and D.</summary>
    public required int Tokens, HeadSize;

    /// <summary>v [N,D].</summary>
    public required float* Values;
    public required nint Stride;

    /// <summary>How they are packed; groups divide a quad.</summary>
    public required PackFormat Order;

    /// <summary>w [D, <see cref="ValuePacking.Inputs"/> of N].</summary>
    public required byte* Packed;

    /// <summary>sv [D].</summary>
    public required float* Scales;

    /// <summary>w [N], positive, and mu [D], where not v but w (v - mu) is packed; else null.</summary>
    public float* Weights, Mean;

    /// <summary>[D], or null: SUM_j w[d,j].</summary>
    public int* Totals;
}
