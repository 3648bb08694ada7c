using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>x = s scale + v / 2; returns its square.</summary>
unsafe struct HalfValue : ILaneOperator
{
    public required int* Sums;
    public required int* Offsets;
    public required float* Scales;
    public required float* Values;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var x = T.LoadInt32(Sums + index, Offsets + index) * T.Load(Scales + index) + T.Load(Values + index) * T.Create(0.5f);
        x.Store(Y + index);
        return x * x;
    }
}

/// <summary>y = s (factor scale).</summary>
unsafe struct ScaledSum : ILaneOperator
{
    public required int* Sums;
    public required int* Offsets;
    public required float* Scales;
    public required float Factor;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.LoadInt32(Sums + index, Offsets + index) * (T.Create(Factor) * T.Load(Scales + index));
        y.Store(Y + index);
        return y;
    }
}

/// <summary>y += SUM_k taps[k] v[token + k - 4], over the tokens that there are, k ascending.</summary>
unsafe struct TokenFilter : ILaneOperator
{
    const int Taps9 = 9, Before = Taps9 / 2;

    public required float* Taps;
    public required float* Values;
    public required nint Stride;
    public required int Token, Tokens;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.Load(Y + index);
        var (first, end) = (int.Max(0, Before - Token), int.Min(Taps9, Tokens + Before - Token));
        for (var k = first; k < end; k++) y = T.MultiplyAdd(T.Create(Taps[k]), T.Load(Values + (Token + k - Before) * Stride + index), y);
        y.Store(Y + index);
        return y;
    }
}

/// <summary>
/// y += SUM taps[k] v of the 3x3 neighbours on the grid of patches, row by row, of one vector of channels, token after token; prefix tokens have no
/// neighbours and are none.
/// </summary>
unsafe struct GridFilter<T> where T : struct, IFloatLanes<T>
{
    readonly T _t0, _t1, _t2, _t3, _t4, _t5, _t6, _t7, _t8;
    readonly float* _taps;
    readonly nint _tapStride, _column, _row;
    readonly int _side;
    int _x, _y;

    public GridFilter(in CombineOperands o, int channel)
    {
        _taps = o.Filters + channel;
        (_tapStride, _side) = (o.FilterStride, o.GridSide);
        (_column, _row) = (o.ValueStride, o.ValueStride * o.GridSide);
        // Prefix tokens stand before the first patch.
        (_y, _x) = o.First < o.PrefixTokens ? (0, o.First - o.PrefixTokens) : Math.DivRem(o.First - o.PrefixTokens, _side);
        (_t0, _t1, _t2) = (Tap(0), Tap(1), Tap(2));
        (_t3, _t4, _t5) = (Tap(3), Tap(4), Tap(5));
        (_t6, _t7, _t8) = (Tap(6), Tap(7), Tap(8));
    }

    /// <summary>Adds to y of the next token, whose value is v.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T AddNext(float* v, T y)
    {
        if ((uint)(_x - 1) < (uint)(_side - 2) && (uint)(_y - 1) < (uint)(_side - 2)) y = AddAll(v, y);
        else if (_x >= 0) y = AddSome(v, y);
        if (++_x == _side) (_x, _y) = (0, _y + 1);
        return y;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    readonly T AddAll(float* v, T y)
    {
        var above = v - _row;
        var below = v + _row;
        y = T.MultiplyAdd(_t0, T.Load(above - _column), y);
        y = T.MultiplyAdd(_t1, T.Load(above), y);
        y = T.MultiplyAdd(_t2, T.Load(above + _column), y);
        y = T.MultiplyAdd(_t3, T.Load(v - _column), y);
        y = T.MultiplyAdd(_t4, T.Load(v), y);
        y = T.MultiplyAdd(_t5, T.Load(v + _column), y);
        y = T.MultiplyAdd(_t6, T.Load(below - _column), y);
        y = T.MultiplyAdd(_t7, T.Load(below), y);
        return T.MultiplyAdd(_t8, T.Load(below + _column), y);
    }

    /// <summary>At an edge.</summary>
    readonly T AddSome(float* v, T y)
    {
        for (var dy = _y > 0 ? -1 : 0; dy <= (_y < _side - 1 ? 1 : 0); dy++)
            for (var dx = _x > 0 ? -1 : 0; dx <= (_x < _side - 1 ? 1 : 0); dx++)
                y = T.MultiplyAdd(Tap(3 * (dy + 1) + dx + 1), T.Load(v + dy * _row + dx * _column), y);
        return y;
    }

    readonly T Tap(int k) => T.Load(_taps + k * _tapStride);
}
