using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>
/// Rounds each weight to the nearest value of a format. The scale of a row minimises SUM_k (w[k] - s * q[k])^2: the best of a
/// geometric grid of scales, then refined by alternating rounding and least squares.
/// </summary>
static class NearestQuantizer
{
    /// <summary>Grid points from half to twice the scale that maps the largest weight to the largest level; a step is 1.5 %.</summary>
    const int GridPoints = 96;

    const int RefinementRounds = 8;

    /// <summary>Below this a row counts as zero, as a token does (2^-100).</summary>
    const float Tiny = 7.888609e-31f;

    /// <summary>Quantises a weight matrix [N,K].</summary>
    public static QuantizedWeight Quantize(Tensor weight, WeightFormat format)
    {
        var codebook = Codebook.Of(format);
        var (rows, columns) = (weight.Shape[0], weight.Shape[1]);
        var integers = new sbyte[rows * columns];
        var scales = new float[rows];
        Parallel.For(0, rows, n =>
        {
            var row = weight.Values.Slice(n * columns, columns);
            scales[n] = BestScale(row, codebook);
            Round(row, scales[n], codebook, integers.AsSpan(n * columns, columns));
        });
        return new(WeightPlane.Encode(format, rows, columns, integers), new(new(rows), scales));
    }

    /// <summary>The scale that minimises the squared rounding error of a row; 1 for a row of zeros.</summary>
    public static float BestScale(ReadOnlySpan<float> row, Codebook codebook)
    {
        var largest = LargestMagnitude(row);
        if (largest < Tiny) return 1;
        var fit = Fit(row, largest / codebook.Max, codebook);
        for (var i = 0; i < GridPoints; i++)
        {
            var scale = largest / codebook.Max * MathF.Pow(2, 2f * i / (GridPoints - 1) - 1);
            var candidate = Fit(row, scale, codebook);
            if (candidate.Error < fit.Error) fit = candidate;
        }
        for (var round = 0; round < RefinementRounds; round++)
        {
            var candidate = Fit(row, fit.LeastSquaresScale, codebook);
            if (!(candidate.Error < fit.Error)) break;
            fit = candidate;
        }
        return fit.Scale;
    }

    /// <summary>q[k] = nearest(w[k] / s).</summary>
    static void Round(ReadOnlySpan<float> row, float scale, Codebook codebook, Span<sbyte> integers)
    {
        for (var k = 0; k < row.Length; k++) integers[k] = codebook.Nearest(row[k] / scale);
    }

    /// <summary>Rounds a row at one scale: the error left, and the scale that is best for the integers found, w.q / q.q.</summary>
    static (float Scale, double Error, float LeastSquaresScale) Fit(ReadOnlySpan<float> row, float scale, Codebook codebook)
    {
        var reciprocal = 1 / scale;
        float error = 0, wq = 0, qq = 0;
        foreach (var w in row)
        {
            var x = w * reciprocal;
            float q = codebook.Nearest(x);
            error += (x - q) * (x - q);
            wq += x * q;
            qq += q * q;
        }
        return (scale, (double)error * scale * scale, qq == 0 ? scale : scale * wq / qq);
    }

    static float LargestMagnitude(ReadOnlySpan<float> row)
    {
        float largest = 0;
        foreach (var w in row) largest = Math.Max(largest, Math.Abs(w));
        return largest;
    }
}
