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
        if (widest >= KernelIsa.Vector512 && o.HeadSize % FloatLanes512.Count == 0) Columns<FloatLanes512>(o);
        else if (widest >= KernelIsa.Vector256 && o.HeadSize % FloatLanes256.Count == 0) Columns<FloatLanes256>(o);
        else if (widest >= KernelIsa.Vector128 && o.HeadSize % FloatLanes128.Count == 0) Columns<FloatLanes128>(o);
        else Columns<FloatLanes1>(o);
    }

    /// <summary>A vector of channels at a time, which lies within a panel where the order has quads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Columns<T>(in ValueOperands o) where T : struct, IFloatLanes<T>
    {
        var (nr, panelBytes) = (o.Order.Nr, (nint)o.Order.PanelBytes(Inputs(o.Tokens)));
        var direct = o.Order.KGroup == Quad && nr % T.Count == 0;
        for (var channel = 0; channel < o.HeadSize; channel += T.Count)
        {
            var reciprocals = Scale(Largest<T>(o.Values + channel, o.Stride, o.Tokens), o.Scales + channel);
            if (direct) Quads(o, channel, reciprocals, o.Packed + channel / nr * panelBytes + o.Order.StartBytes + channel % nr * Quad, nr * Quad);
            else Scatter(o, channel, reciprocals);
        }
        if (!o.Order.AccumulatorStarts) return;
        for (var channel = 0; channel < o.HeadSize; channel += nr)
            new Span<int>(o.Packed + channel / nr * panelBytes, int.Min(nr, o.HeadSize - channel)).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static T Largest<T>(float* v, nint stride, int n) where T : struct, IFloatLanes<T>
    {
        T even = default, odd = default;
        for (; n >= Quad; n -= Quad, v += Quad * stride)
        {
            even = T.Max(even, T.Max(T.Abs(T.Load(v)), T.Abs(T.Load(v + 2 * stride))));
            odd = T.Max(odd, T.Max(T.Abs(T.Load(v + stride)), T.Abs(T.Load(v + 3 * stride))));
        }
        for (; n > 0; n--, v += stride) even = T.Max(even, T.Abs(T.Load(v)));
        return T.Max(even, odd);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Quads<T>(in ValueOperands o, int channel, T reciprocals, byte* target, nint step) where T : struct, IFloatLanes<T>
    {
        var v = o.Values + channel;
        var (stride, n) = (o.Stride, o.Tokens);
        for (; n >= Quad; n -= Quad, v += Quad * stride, target += step) StoreQuad(v, stride, reciprocals, target);
        if (n > 0) StoreLast(v, stride, n, reciprocals, target);
    }

    /// <summary>Any order, byte by byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Scatter<T>(in ValueOperands o, int channel, T reciprocals) where T : struct, IFloatLanes<T>
    {
        var (nr, group, panelBytes) = (o.Order.Nr, o.Order.KGroup, (nint)o.Order.PanelBytes(Inputs(o.Tokens)));
        var quads = stackalloc byte[T.Count * Quad];
        for (var token = 0; token < o.Tokens; token += Quad)
        {
            var v = o.Values + token * o.Stride + channel;
            if (token <= o.Tokens - Quad) StoreQuad(v, o.Stride, reciprocals, quads);
            else StoreLast(v, o.Stride, o.Tokens - token, reciprocals, quads);
            for (var i = 0; i < T.Count * Quad; i++)
            {
                var (panel, lane) = Math.DivRem(channel + i / Quad, nr);
                var (groups, input) = Math.DivRem(token + i % Quad, group);
                o.Packed[panel * panelBytes + o.Order.StartBytes + ((nint)groups * nr + lane) * group + input] = quads[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreQuad<T>(float* v, nint stride, T reciprocals, byte* target) where T : struct, IFloatLanes<T> => T.StoreSignedQuads(
        T.Load(v) * reciprocals, T.Load(v + stride) * reciprocals, T.Load(v + 2 * stride) * reciprocals, T.Load(v + 3 * stride) * reciprocals, target);

    /// <summary>Fewer than four tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreLast<T>(float* v, nint stride, int n, T reciprocals, byte* target) where T : struct, IFloatLanes<T> => T.StoreSignedQuads(
        T.Load(v) * reciprocals, n > 1 ? T.Load(v + stride) * reciprocals : default, n > 2 ? T.Load(v + 2 * stride) * reciprocals : default, default, target);
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
}
