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
