using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

unsafe struct Value : ILaneOperator
{
    public required float* X;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T> => T.Load(X + index);
}

unsafe struct Magnitude : ILaneOperator
{
    public required float* X;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T> => T.Abs(T.Load(X + index));
}

unsafe struct CodeBits : ILaneOperator
{
    public required float* X;
    public required ulong* Bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var x = T.Load(X + index);
        *Bits |= (ulong)x.PositiveBits() << (int)index;
        return T.Abs(x);
    }
}

unsafe struct Square : ILaneOperator
{
    public required float* X;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var x = T.Load(X + index);
        return x * x;
    }
}

/// <summary>The clamp of the definition never acts: |x| is at most max, so |x * (127 / max)| is below 127.5.</summary>
unsafe struct Quantize : ILaneOperator
{
    public required float* X;
    public required float Reciprocal;
    public required byte* Q;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var x = T.Load(X + index);
        (x * T.Create(Reciprocal)).StoreQuantized(Q + index);
        return x;
    }
}

unsafe struct Dequantize : ILaneOperator
{
    public required int* Acc;
    public required float Scale;
    public required float* Scales;
    public required float* Bias;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.LoadInt32(Acc + index) * (T.Create(Scale) * T.Load(Scales + index)) + T.Load(Bias + index);
        y.Store(Y + index);
        return y;
    }
}

unsafe struct DequantizeInt64 : ILaneOperator
{
    public required long* Acc;
    public required float Scale;
    public required float* Scales;
    public required float* Bias;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.LoadInt64(Acc + index) * (T.Create(Scale) * T.Load(Scales + index)) + T.Load(Bias + index);
        y.Store(Y + index);
        return y;
    }
}

unsafe struct Add : ILaneOperator
{
    public required float* X;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.Load(Y + index) + T.Load(X + index);
        y.Store(Y + index);
        return y;
    }
}

/// <summary>x / 2 (1 + erf(x / sqrt 2)) = max(x, 0) - |x| / 2 erfc(|x| / sqrt 2), which never subtracts nearly equal numbers.</summary>
unsafe struct Gelu : ILaneOperator
{
    public required float* X;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var x = T.Load(X + index);
        var magnitude = T.Abs(x);
        var tail = Elementary.ComplementaryError(magnitude * T.Create(0.70710678f));
        var y = T.Max(x, T.Create(0)) - magnitude * T.Create(0.5f) * tail;
        y.Store(Y + index);
        return y;
    }
}

unsafe struct TableGelu : ILaneOperator
{
    public required float* X;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var x = T.Load(X + index);
        var c = T.Min(T.Abs(x), T.Create(GeluTable.Last));
        var line = c + T.Create(GeluTable.Bias);
        var slope = T.LookUp32(GeluTable.Pointer, line);
        var intercept = T.LookUp32(GeluTable.Pointer + GeluTable.Lines, line);
        var y = T.Max(x, T.Create(0)) - T.MultiplyAdd(slope, c, intercept);
        y.Store(Y + index);
        return y;
    }
}

/// <summary>z = (float)acc * (sx * sw) + bias for one output of many rows; z may be where acc is.</summary>
unsafe struct Logit : ILaneOperator
{
    public required int* Acc;
    public required float* RowScales;
    public required float Scale;
    public required float Bias;
    public required float* Z;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var z = T.LoadInt32(Acc + index) * (T.Load(RowScales + index) * T.Create(Scale)) + T.Create(Bias);
        z.Store(Z + index);
        return z;
    }
}

/// <summary>1 / SUM_e e^(z_e - max_e z_e) for many rows.</summary>
unsafe struct LargestProbability : ILaneOperator
{
    /// <summary>[E,M].</summary>
    public required float* Z;
    public required int Experts;
    public required int Rows;
    public required float* Probability;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var (max, sum) = (T.Load(Z + index), T.Create(0));
        for (var e = 1; e < Experts; e++) max = T.Max(max, T.Load(Z + e * Rows + index));
        for (var e = 0; e < Experts; e++) sum += Elementary.Exp(T.Load(Z + e * Rows + index) - max);
        var probability = T.Create(1) / sum;
        probability.Store(Probability + index);
        return probability;
    }
}

unsafe struct SquaredDeviation : ILaneOperator
{
    public required float* X;
    public required float Mean;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var deviation = T.Load(X + index) - T.Create(Mean);
        return deviation * deviation;
    }
}

unsafe struct Normalize : ILaneOperator
{
    public required float* X;
    public required float Mean;
    public required float Factor;
    public required float* Gamma;
    public required float* Beta;
    public required float* Y;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var normal = (T.Load(X + index) - T.Create(Mean)) * T.Create(Factor);
        var y = normal * T.Load(Gamma + index) + T.Load(Beta + index);
        y.Store(Y + index);
        return y;
    }
}

/// <summary>Replaces x by e^(factor (x - max)), which is at most 1, and returns it.</summary>
unsafe struct Exponential : ILaneOperator
{
    public required float* X;
    public required float Max;
    public required float Factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = Elementary.Exp((T.Load(X + index) - T.Create(Max)) * T.Create(Factor));
        y.Store(X + index);
        return y;
    }
}

unsafe struct Scale : ILaneOperator
{
    public required float* X;
    public required float Factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly T At<T>(nint index) where T : struct, IFloatLanes<T>
    {
        var y = T.Load(X + index) * T.Create(Factor);
        y.Store(X + index);
        return y;
    }
}
