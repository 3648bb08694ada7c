using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>
/// Rounds each weight to the nearest value of a format. The scale of a row, unless the format has its own, minimises
/// SUM_k (w[k] - s * q[k])^2: the best of a geometric grid of scales, then refined by alternating rounding and least squares.
/// </summary>
static class NearestQuantizer
{
    /// <summary>Grid points from half to twice the scale that maps the largest weight to the largest level; a step is 2 %.</summary>
    const int CoarsePoints = 65;

    /// <summary>Grid points between the neighbours of the best coarse one; a step is 0.3 %.</summary>
    const int FinePoints = 15;

    const int RefinementRounds = 8;

    /// <summary>Quantises a weight matrix [N,K] on as many threads; the result does not depend on how many.</summary>
    public static QuantizedWeight Quantize(Tensor weight, WeightFormat format, int threads = 1)
    {
        var codebook = Codebook.Of(format);
        var (rows, columns) = (weight.Shape[0], weight.Shape[1]);
        var integers = new short[rows * columns];
        var scales = new float[rows];
        Parallel.For(0, rows, new() { MaxDegreeOfParallelism = threads }, n =>
        {
            var row = weight.Values.Slice(n * columns, columns);
            scales[n] = codebook.Scale ?? BestScale(row, codebook);
            Round(row, scales[n], codebook, integers.AsSpan(n * columns, columns));
        });
        return new(WeightPlane.Encode(format, rows, columns, integers), new(new(rows), scales));
    }

    /// <summary>S8 [N,K], each row scaled by its largest magnitude: what takes no search.</summary>
    public static QuantizedWeight ByMagnitude(Tensor weight)
    {
        var (rows, columns) = (weight.Shape[0], weight.Shape[1]);
        var integers = new short[rows * columns];
        var scales = new float[rows];
        for (var n = 0; n < rows; n++)
        {
            var row = weight.Values.Slice(n * columns, columns);
            var max = 0f;
            foreach (var value in row) max = MathF.Max(max, MathF.Abs(value));
            scales[n] = max < Negligible.Below ? 1 : max / sbyte.MaxValue;
            for (var k = 0; k < columns; k++) integers[n * columns + k] = (short)MathF.Round(row[k] / scales[n]);
        }
        return new(WeightPlane.Encode(WeightFormat.S8, rows, columns, integers), new(new(rows), scales));
    }

    /// <summary>The scale that minimises the squared rounding error of a row; 1 for a row of zeros.</summary>
    public static float BestScale(ReadOnlySpan<float> row, Codebook codebook)
    {
        var magnitudes = new float[row.Length];
        for (var k = 0; k < row.Length; k++) magnitudes[k] = Math.Abs(row[k]);
        var largest = magnitudes.Max();
        if (largest < Negligible.Below) return 1;
        var step = 2f / (CoarsePoints - 1);
        var centre = largest / codebook.Max;
        var coarse = BestOf(magnitudes, codebook, centre, step, CoarsePoints, new(centre, double.MaxValue, centre));
        var fit = BestOf(magnitudes, codebook, coarse.Scale, 2 * step / (FinePoints + 1), FinePoints, coarse);
        for (var round = 0; round < RefinementRounds; round++)
        {
            var candidate = Fit(magnitudes, fit.LeastSquaresScale, codebook);
            if (!(candidate.Error < fit.Error)) break;
            fit = candidate;
        }
        return fit.Scale;
    }

    /// <summary>The best of some scales spaced evenly in octaves around a centre, or the incumbent if none is better.</summary>
    static RowFit BestOf(ReadOnlySpan<float> magnitudes, Codebook codebook, float centre, float octaves, int points, RowFit best)
    {
        for (var i = 0; i < points; i++)
        {
            var candidate = Fit(magnitudes, centre * MathF.Pow(2, octaves * (i - points / 2)), codebook);
            if (candidate.Error < best.Error) best = candidate;
        }
        return best;
    }

    /// <summary>q[k] = nearest(w[k] / s).</summary>
    static void Round(ReadOnlySpan<float> row, float scale, Codebook codebook, Span<short> integers)
    {
        for (var k = 0; k < row.Length; k++) integers[k] = codebook.Nearest(row[k] / scale);
    }

    /// <summary>
    /// Rounds the magnitudes of a row at one scale (the codebooks are symmetric): the error left, and the scale that is best for the
    /// integers found, w.q / q.q.
    /// </summary>
    static RowFit Fit(ReadOnlySpan<float> magnitudes, float scale, Codebook codebook)
    {
        var reciprocal = 1 / scale;
        float error = 0, wq = 0, qq = 0;
        foreach (var w in magnitudes)
        {
            var x = w * reciprocal;
            var q = codebook.NearestMagnitude(x);
            error += (x - q) * (x - q);
            wq += x * q;
            qq += q * q;
        }
        return new(scale, (double)error * scale * scale, qq == 0 ? scale : scale * wq / qq);
    }

    readonly record struct RowFit(float Scale, double Error, float LeastSquaresScale);
}
