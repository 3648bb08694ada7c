using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>
/// Rounding with second-order error feedback (GPTQ, Frantar et al. 2023): columns are rounded one after the other, and what a column
/// loses is made up for, as well as H allows, by the columns not yet rounded. Row scales are those of <see cref="NearestQuantizer"/>.
/// Deterministic: the result depends neither on the number of threads nor on the width of the machine's vectors.
/// </summary>
static class GptqQuantizer
{
    /// <summary>Added to the diagonal of H, as a fraction of its mean: what the method's authors use.</summary>
    const double Damping = 0.01;

    /// <summary>Quantises a weight matrix [N,K] for inputs with second moment <paramref name="moment"/>.</summary>
    /// <exception cref="ArithmeticException">The second moment is not finite, or no sum of products.</exception>
    public static QuantizedWeight Quantize(Tensor weight, WeightFormat format, SecondMoment moment, int threads = 1)
    {
        var codebook = Codebook.Of(format);
        var (rows, columns) = (weight.Shape[0], weight.Shape[1]);
        if (moment.Size != columns) throw new ArgumentException($"second moment of {moment.Size} inputs for {columns}", nameof(moment));
        var feedback = FeedbackFactor(moment);
        var integers = new short[rows * columns];
        var scales = new float[rows];
        Parallel.For(0, rows, new() { MaxDegreeOfParallelism = threads }, n =>
        {
            var row = weight.Values.Slice(n * columns, columns);
            scales[n] = codebook.Scale ?? NearestQuantizer.BestScale(row, codebook);
            RoundRow(row, scales[n], codebook, feedback, integers.AsSpan(n * columns, columns));
        });
        return new(WeightPlane.Encode(format, rows, columns, integers), new(new(rows), scales));
    }

    static void RoundRow(ReadOnlySpan<float> row, float scale, Codebook codebook, double[] feedback, Span<short> integers)
    {
        var size = row.Length;
        var remaining = new double[size];
        for (var k = 0; k < size; k++) remaining[k] = row[k];
        for (var k = 0; k < size; k++)
        {
            integers[k] = codebook.Nearest((float)(remaining[k] / scale));
            var factor = feedback.AsSpan(k * size, size);
            var error = (remaining[k] - (double)scale * integers[k]) / factor[k];
            for (var j = k + 1; j < size; j++) remaining[j] -= error * factor[j];
        }
    }

    /// <summary>
    /// U, upper triangular, with (H + damping)^-1 = U^T U. With J the reversal of order, J H J = L L^T gives H = A A^T for the upper
    /// triangular A = J L J, hence U = A^-1 = J L^-1 J: one Cholesky and one triangular inverse.
    /// </summary>
    static double[] FeedbackFactor(SecondMoment moment)
    {
        var size = moment.Size;
        var lower = new double[size * size];
        double trace = 0;
        for (var i = 0; i < size; i++) trace += moment.Values[i * size + i];
        var damping = trace > 0 ? Damping * trace / size : 1;
        for (var i = 0; i < size; i++)
            for (var j = 0; j <= i; j++)
                // Element (i, j) of J H J is H[size-1-i, size-1-j]; that lies above the diagonal, so take its mirror image.
                lower[i * size + j] = moment.Values[(size - 1 - j) * size + (size - 1 - i)] + (i == j ? damping : 0);
        Cholesky.Factor(lower, size);
        Cholesky.InvertLower(lower, size);
        Array.Reverse(lower);
        return lower;
    }
}
