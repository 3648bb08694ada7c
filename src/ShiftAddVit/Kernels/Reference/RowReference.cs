using System.Numerics;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>
/// The row operations of <see cref="RowOps"/>, one element at a time. Quantize, Dequantize and TableGelu define bits, in float; the others are
/// judges: they work in double and round once.
/// </summary>
static class RowReference
{
    public static float Quantize(ReadOnlySpan<float> x, Span<byte> q)
    {
        var max = 0f;
        foreach (var value in x) max = MathF.Max(max, MathF.Abs(value));
        if (max < Negligible.Below)
        {
            q.Fill(128);
            return 1;
        }
        var reciprocal = 127 / max;
        for (var i = 0; i < x.Length; i++)
            q[i] = (byte)(Math.Clamp((int)MathF.Round(x[i] * reciprocal, MidpointRounding.ToEven), -127, 127) + 128);
        return max / 127;
    }

    /// <summary>Of int32 or int64.</summary>
    public static void Dequantize<T>(ReadOnlySpan<T> acc, float sx, ReadOnlySpan<float> sw, ReadOnlySpan<float> bias, Span<float> y)
        where T : INumberBase<T>
    {
        for (var n = 0; n < acc.Length; n++)
        {
            var scale = sx * sw[n];
            var scaled = float.CreateChecked(acc[n]) * scale;
            y[n] = scaled + bias[n];
        }
    }

    public static void Add(ReadOnlySpan<float> x, Span<float> y)
    {
        for (var n = 0; n < x.Length; n++) y[n] += x[n];
    }

    public static void Gelu(ReadOnlySpan<float> x, Span<float> y)
    {
        for (var n = 0; n < x.Length; n++) y[n] = (float)(0.5 * x[n] * ComplementaryError(-x[n] / Math.Sqrt(2)));
    }

    public static void TableGelu(ReadOnlySpan<float> x, Span<float> y)
    {
        for (var n = 0; n < x.Length; n++)
        {
            var c = MathF.Min(MathF.Abs(x[n]), GeluTable.Last);
            var line = GeluTable.Line(c);
            y[n] = MathF.Max(x[n], 0) - float.MultiplyAddEstimate(GeluTable.Slopes[line], c, GeluTable.Intercepts[line]);
        }
    }

    public static void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gamma, ReadOnlySpan<float> beta, float eps, Span<float> y)
    {
        double mean = 0, variance = 0;
        foreach (var value in x) mean += (double)value / x.Length;
        foreach (var value in x) variance += (value - mean) * (value - mean) / x.Length;
        for (var n = 0; n < x.Length; n++) y[n] = (float)((x[n] - mean) / Math.Sqrt(variance + eps) * gamma[n] + beta[n]);
    }

    public static void Softmax(Span<float> x, float scale)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (var value in x) max = Math.Max(max, value);
        foreach (var value in x) sum += Math.Exp(scale * (value - max));
        for (var n = 0; n < x.Length; n++) x[n] = (float)(Math.Exp(scale * (x[n] - max)) / sum);
    }

    /// <summary>erfc(z) = 1 - erf(z), to about 1e-15.</summary>
    public static double ComplementaryError(double z) => z switch
    {
        < 0 => 2 - ComplementaryError(-z),
        < 2 => 1 - ErrorSeries(z),
        _ => ErrorFraction(z),
    };

    /// <summary>
    /// erf(z) = 2 / sqrt(pi) e^(-z^2) SUM_n 2^n z^(2n+1) / (1 3 5 ... (2n+1)): Abramowitz and Stegun 7.1.6; all terms have one sign.
    /// </summary>
    static double ErrorSeries(double z)
    {
        double term = z, sum = z;
        for (var n = 1; term > sum * 1e-17; n++) sum += term *= 2 * z * z / (2 * n + 1);
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-z * z) * sum;
    }

    /// <summary>
    /// sqrt(pi) e^(z^2) erfc(z) = 1/(z + (1/2)/(z + 1/(z + (3/2)/(z + ...)))): Abramowitz and Stegun 7.1.14, from the inside out.
    /// </summary>
    static double ErrorFraction(double z)
    {
        var tail = z;
        for (var n = 200; n > 0; n--) tail = z + n / 2.0 / tail;
        return Math.Exp(-z * z) / (Math.Sqrt(Math.PI) * tail);
    }
}
