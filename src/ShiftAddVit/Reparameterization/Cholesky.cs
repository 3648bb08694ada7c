using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ShiftAddVit.Reparameterization;

/// <summary>Cholesky factorisation of a symmetric positive definite matrix in row-major double precision, in place.</summary>
static class Cholesky
{
    /// <summary>Replaces the lower triangle of A by L with A = L L^T and clears what is above.</summary>
    /// <exception cref="ArithmeticException">A is not positive definite, or not finite.</exception>
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
            if (!(row[i] > 0 && double.IsFinite(row[i]))) throw new ArithmeticException("matrix is not positive definite");
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

    /// <summary>SUM a[i] b[i] in one order on every machine: eight sums of every eighth product, then what is left one by one.</summary>
    internal static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        // Two sums of four lanes each: products 0..3 and 4..7 of every eight.
        var x = MemoryMarshal.Cast<double, Vector256<double>>(a);
        var y = MemoryMarshal.Cast<double, Vector256<double>>(b);
        var (even, odd) = (Vector256<double>.Zero, Vector256<double>.Zero);
        var v = 0;
        for (; v + 1 < x.Length; v += 2)
        {
            even += x[v] * y[v];
            odd += x[v + 1] * y[v + 1];
        }
        var sum = even + odd;
        var total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        for (var i = v * Vector256<double>.Count; i < a.Length; i++) total += a[i] * b[i];
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
