using ShiftAddVit.Models;

namespace ShiftAddVit.Fitting;

/// <summary>
/// Ridge regression of an output projection, its bias free: W, b = argmin SUM |T - (W y + b)|^2 + penalty |W - W0|^2, W0 the teacher's with a factor
/// for each head that brings it nearest by itself. The penalty is the one of a few that serves rows best that were not fitted to.
/// </summary>
/// <param name="products">The products.</param>
/// <param name="teacher">[C,C].</param>
/// <param name="heads">H.</param>
sealed class ProjectionFit(FloatProducts products, Linear teacher, int heads)
{
    /// <summary>Penalties that are tried, as shares of the mean of the moments of y.</summary>
    static readonly double[] Ridges = [1e-3, 1e-2, 0.1, 1, 10];

    readonly int _width = teacher.Inputs;
    readonly double[] _moment = new double[teacher.Inputs * teacher.Inputs], _cross = new double[teacher.Inputs * teacher.Outputs];
    readonly double[] _sum = new double[teacher.Inputs], _targetSum = new double[teacher.Outputs];
    double _count, _square;

    /// <summary>Fits to all images, with the penalty that is best for every fourth when fitted to the others.</summary>
    /// <param name="products">The products.</param>
    /// <param name="teacher">[C,C].</param>
    /// <param name="heads">H.</param>
    /// <param name="images">y and T of each image, [N,C].</param>
    /// <param name="weights">What a row counts, [N].</param>
    /// <returns>The projection, and what share of the variance of T it leaves.</returns>
    public static (Linear Projection, double Error) Run(
        FloatProducts products, Linear teacher, int heads, IEnumerable<(float[] Output, float[] Target)> images, float[] weights)
    {
        var (fitted, held, count) = (new ProjectionFit(products, teacher, heads), new ProjectionFit(products, teacher, heads), 0);
        foreach (var (output, target) in images) (count++ % 4 == 3 ? held : fitted).Add(output, target, weights);
        var ridge = held._count == 0 ? Ridges[2] : Ridges.MinBy(ridge => held.Error(fitted.Solve(ridge)));
        fitted.Add(held);
        var solution = fitted.Solve(ridge);
        return (fitted.Projection(solution), fitted.Error(solution));
    }

    /// <summary>Takes rows y [N,C] and what they should become, T [N,C], counting by a weight each.</summary>
    void Add(float[] y, float[] target, float[] weights)
    {
        var n = weights.Length;
        float[] weighted = [.. y];
        for (var i = 0; i < y.Length; i++)
        {
            weighted[i] *= weights[i / _width];
            _sum[i % _width] += weighted[i];
            _targetSum[i % _width] += weights[i / _width] * target[i];
            _square += weights[i / _width] * (double)target[i] * target[i];
        }
        AddTo(_moment, products.Gram(weighted, y, n));
        AddTo(_cross, products.Gram(weighted, target, n));
        _count += weights.Sum();
    }

    void Add(ProjectionFit other)
    {
        foreach (var (sums, more) in (ReadOnlySpan<(double[], double[])>)[
            (_moment, other._moment), (_cross, other._cross), (_sum, other._sum), (_targetSum, other._targetSum)])
            for (var i = 0; i < sums.Length; i++) sums[i] += more[i];
        (_count, _square) = (_count + other._count, _square + other._square);
    }

    /// <summary>W^T [C,C].</summary>
    double[] Solve(double ridge)
    {
        var (moment, cross) = (Centred(_moment, _sum), Centred(_cross, _targetSum));
        var squares = new LeastSquares(_width, _width);
        for (var i = 0; i < _width; i++)
            for (var j = 0; j < _width; j++)
            {
                if (j <= i) squares.AddMoment(i, j, moment[i * _width + j]);
                squares.AddCross(i, j, cross[i * _width + j]);
            }
        var penalty = new double[_width];
        Array.Fill(penalty, ridge * squares.MeanDiagonal(0, _width) + 1e-30);
        return squares.Solve(penalty, Prior(moment, cross));
    }

    Linear Projection(double[] x)
    {
        var (weights, bias) = (new float[_width * _width], new float[_width]);
        for (var n = 0; n < _width; n++)
        {
            var offset = _targetSum[n];
            for (var k = 0; k < _width; k++)
            {
                weights[n * _width + k] = (float)x[k * _width + n];
                offset -= x[k * _width + n] * _sum[k];
            }
            bias[n] = (float)(offset / _count);
        }
        return teacher with { Weight = new DenseWeight(new(new(_width, _width), weights)), Bias = new(new(_width), bias) };
    }

    /// <summary>W0^T [C,C]: factors r of the heads by least squares of their own, SUM |T - SUM_h r_h W_h y_h|^2.</summary>
    double[] Prior(double[] moment, double[] cross)
    {
        var (w, d) = (teacher.Weight.ToFloat32().Memory.ToArray(), _width / heads);
        var squares = new LeastSquares(heads, 1);
        for (var k = 0; k < _width; k++)
        {
            for (var n = 0; n < _width; n++) squares.AddCross(k / d, 0, w[n * _width + k] * cross[k * _width + n]);
            for (var l = 0; l <= k; l++)
            {
                double product = 0;
                for (var n = 0; n < _width; n++) product += (double)w[n * _width + k] * w[n * _width + l];
                var value = product * moment[k * _width + l];
                // Both halves of a symmetric matrix: what lies within one head counts twice there.
                squares.AddMoment(k / d, l / d, k / d == l / d && k != l ? 2 * value : value);
            }
        }
        var penalty = new double[heads];
        Array.Fill(penalty, 1e-6 * squares.MeanDiagonal(0, heads) + 1e-30);
        var factors = squares.Solve(penalty);
        var prior = new double[_width * _width];
        for (var k = 0; k < _width; k++)
            for (var n = 0; n < _width; n++) prior[k * _width + n] = factors[k / d] * w[n * _width + k];
        return prior;
    }

    /// <summary>The share of the variance of T that W leaves, its bias at its best.</summary>
    double Error(double[] x)
    {
        var (moment, cross) = (Centred(_moment, _sum), Centred(_cross, _targetSum));
        double explained = 0, left = _square;
        foreach (var sum in _targetSum) left -= sum * sum / _count;
        for (var k = 0; k < _width; k++)
            for (var n = 0; n < _width; n++)
            {
                double moved = 0;
                for (var l = 0; l < _width; l++) moved += moment[k * _width + l] * x[l * _width + n];
                explained += x[k * _width + n] * (2 * cross[k * _width + n] - moved);
            }
        return (left - explained) / left;
    }

    double[] Centred(double[] sums, double[] other)
    {
        var centred = (double[])sums.Clone();
        for (var i = 0; i < _width; i++)
            for (var j = 0; j < _width; j++) centred[i * _width + j] -= _sum[i] * other[j] / _count;
        return centred;
    }

    static void AddTo(double[] sums, float[] values)
    {
        for (var i = 0; i < sums.Length; i++) sums[i] += values[i];
    }
}
