using System.Numerics;

namespace ShiftAddVit.Reparameterization;

/// <summary>Cholesky factorisation of a symmetric positive definite matrix in row-major double precision, in place.</summary>
static class Cholesky
{
    /// <summary>Replaces the lower triangle of A by L with A = L L^T and clears what is above.</summary>
    public static void Factor(double[] matrix, int size)
    {
        for (var i = 0; i < size; i++)
        {
            var row = matrix.AsSpan(i * size, size);
            for (var j = 0; j <= i; j++)
            {
                var other = matrix.AsSpan(j * size, size);
                var value = row[j] - Dot(row[..j], other[..j]);
                row[j] = j == i ? Math.Sqrt(value) : value / other[j];
            }
            if (!(row[i] > 0)) throw new ArithmeticException("matrix is not positive definite");
            row[(i + 1)..].Clear();
        }
    }

    /// <summary>Replaces a lower triangular L by its inverse.</summary>
    public static void InvertLower(double[] matrix, int size)
    {
        // Row i of L X = 1: X[i,:] = (e_i - SUM_{j<i} L[i,j] X[j,:]) / L[i,i]; rows above are already inverted.
        var row = new double[size];
        for (var i = 0; i < size; i++)
        {
            var coefficients = matrix.AsSpan(i * size, size);
            Array.Clear(row, 0, i);
            for (var j = 0; j < i; j++) AddScaled(row.AsSpan(0, j + 1), -coefficients[j], matrix.AsSpan(j * size, j + 1));
            var diagonal = coefficients[i];
            for (var j = 0; j < i; j++) coefficients[j] = row[j] / diagonal;
            coefficients[i] = 1 / diagonal;
        }
    }

    static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var width = Vector<double>.Count;
        var sum = Vector<double>.Zero;
        var i = 0;
        for (; i <= a.Length - width; i += width) sum += new Vector<double>(a[i..]) * new Vector<double>(b[i..]);
        var total = Vector.Sum(sum);
        for (; i < a.Length; i++) total += a[i] * b[i];
        return total;
    }

    static void AddScaled(Span<double> target, double factor, ReadOnlySpan<double> source)
    {
        var width = Vector<double>.Count;
        var i = 0;
        for (; i <= target.Length - width; i += width)
            (new Vector<double>(target[i..]) + new Vector<double>(source[i..]) * factor).CopyTo(target[i..]);
        for (; i < target.Length; i++) target[i] += factor * source[i];
    }
}
