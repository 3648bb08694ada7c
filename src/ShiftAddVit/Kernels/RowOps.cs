using System.Runtime.CompilerServices;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Operations on one row of numbers, in vectors of up to a given width (scalar for <see cref="KernelIsa.Reference"/>). All input is
/// finite. Rows may start anywhere; only the elements 0..length-1 are touched. Lane-by-lane results have the same bits in every width.
/// Optimised when first compiled, as the walks are.
/// </summary>
sealed unsafe class RowOps(KernelIsa widest)
{
    /// <summary>The largest error of <see cref="Gelu"/> for |x| at most 30.</summary>
    internal const float GeluError = 1e-6f;

    /// <summary>Among how many lanes the largest magnitude of a row may be spread while it is not complete.</summary>
    public const int MaximumLanes = 16;

    /// <summary>The widest vectors used.</summary>
    public KernelIsa Widest { get; } = widest;

    /// <summary>
    /// q = clamp(roundHalfEven(x * (127 / max|x|)), -127, 127) + 128. Returns the scale s = max|x| / 127; 1 for a row of zeros.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float Quantize(float* x, int length, byte* q)
    {
        var magnitude = new Magnitude { X = x };
        var max = Traversal.Max(ref magnitude, length, Widest, 0);
        var zero = max < Negligible.Below;
        var quantize = new Quantize { X = x, Reciprocal = zero ? 0 : 127 / max, Q = q };
        Traversal.ForEach(ref quantize, length, Widest);
        return zero ? 1 : max / 127;
    }

    /// <summary>The larger of max and the largest |x|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float Measure(float* x, int length, float max)
    {
        var magnitude = new Magnitude { X = x };
        return Traversal.Max(ref magnitude, length, Widest, max);
    }

    /// <summary>Bit n of the code is x[n] > 0. Returns the mean of |x|, in the order of <see cref="LaneSum"/>; at most 64 elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public float Code(float* x, int length, ulong* code)
    {
        *code = 0;
        var op = new CodeBits { X = x, Bits = code };
        return LaneSum.Of(ref op, length, Widest) * (1f / length);
    }

    /// <summary>y[n] = (float)acc[n] * (sx * sw[n]) + bias[n], each operation rounded on its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Dequantize(int* acc, float sx, float* sw, float* bias, int length, float* y)
    {
        var op = new Dequantize { Acc = acc, Scale = sx, Scales = sw, Bias = bias, Y = y };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>The same from int64 of magnitude below 2^53. y may begin where acc does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Dequantize(long* acc, float sx, float* sw, float* bias, int length, float* y)
    {
        var op = new DequantizeInt64 { Acc = acc, Scale = sx, Scales = sw, Bias = bias, Y = y };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>y[n] += x[n]: a bias, or a residual.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Add(float* x, int length, float* y)
    {
        var op = new Add { X = x, Y = y };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>x[n] *= factor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Scale(float* x, float factor, int length)
    {
        var op = new Scale { X = x, Factor = factor };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>y[n] = x[n] / 2 * (1 + erf(x[n] / sqrt 2)); absolute error at most <see cref="GeluError"/>. y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Gelu(float* x, int length, float* y)
    {
        var op = new Gelu { X = x, Y = y };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>y[n] = gelu(x[n]) by the straight lines of <see cref="GeluTable"/>, which bounds the error. y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void TableGelu(float* x, int length, float* y)
    {
        var op = new TableGelu { X = x, Y = y };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>y[n] = (x[n] - mean) / sqrt(variance + eps) * gamma[n] + beta[n]; biased variance, in a second pass. y may be x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void LayerNorm(float* x, float* gamma, float* beta, float eps, int length, float* y)
    {
        var value = new Value { X = x };
        var mean = Traversal.Sum(ref value, length, Widest) / length;
        var deviation = new SquaredDeviation { X = x, Mean = mean };
        var variance = Traversal.Sum(ref deviation, length, Widest) / length;
        var op = new Normalize { X = x, Mean = mean, Factor = 1 / MathF.Sqrt(variance + eps), Gamma = gamma, Beta = beta, Y = y };
        Traversal.ForEach(ref op, length, Widest);
    }

    /// <summary>x[n] = e^(scale (x[n] - max)) / SUM e^(scale (x[j] - max)), in place; 0 &lt; scale. Finite for all finite x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Softmax(float* x, float scale, int length)
    {
        var value = new Value { X = x };
        var max = Traversal.Max(ref value, length, Widest, float.MinValue);
        var exponential = new Exponential { X = x, Max = max, Factor = scale };
        var sum = Traversal.Sum(ref exponential, length, Widest);
        var op = new Scale { X = x, Factor = 1 / sum };
        Traversal.ForEach(ref op, length, Widest);
    }
}
