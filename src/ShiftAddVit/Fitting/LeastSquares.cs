using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Fitting;

/// <summary>
/// Normal equations of weighted least squares, summed in double precision: SUM_s weight_s |target_s - X^T feature_s|^2 for F features and
/// T targets, solved with a penalty on the distance from a prior.
/// </summary>
/// <param name="features">F.</param>
/// <param name="targets">T.</param>
sealed class LeastSquares(int features, int targets)
{
    readonly double[] _moment = new double[features * features], _cross = new double[features * targets];

    /// <summary>G[i,j] += values[i,j]: SUM weight feature_i feature_j of some samples.</summary>
    public void AddMoment(ReadOnlySpan<float> values, int first = 0, double sign = 1) => Add(_moment, features, values, first, first, (int)Math.Sqrt(values.Length), sign);

    /// <summary>R[i,t] += values[i,t]: SUM weight feature_i target_t.</summary>
    public void AddCross(ReadOnlySpan<float> values, int first = 0, double sign = 1) => Add(_cross, targets, values, first, 0, targets, sign);

    /// <summary>G[i,j] and G[j,i] += value.</summary>
    public void AddMoment(int i, int j, double value)
    {
        _moment[i * features + j] += value;
        if (i != j) _moment[j * features + i] += value;
    }

    /// <summary>R[i,t] += value.</summary>
    public void AddCross(int i, int t, double value) => _cross[i * targets + t] += value;

    /// <summary>A sample.</summary>
    public void Add(ReadOnlySpan<double> feature, ReadOnlySpan<double> target, double weight)
    {
        for (var i = 0; i < features; i++)
        {
            var row = _moment.AsSpan(i * features, features);
            var scaled = weight * feature[i];
            for (var j = 0; j < features; j++) row[j] += scaled * feature[j];
            for (var t = 0; t < targets; t++) _cross[i * targets + t] += weight * feature[i] * target[t];
        }
    }

    /// <summary>The mean of the diagonal of G over some features: the scale of penalties.</summary>
    public double MeanDiagonal(int first, int count)
    {
        double sum = 0;
        for (var i = first; i < first + count; i++) sum += _moment[i * features + i];
        return sum / count;
    }

    /// <summary>X = argmin of the squares + SUM_i penalty_i |X_i - prior_i|^2: (G + diag penalty) X = R + diag penalty prior.</summary>
    /// <param name="penalty">[F].</param>
    /// <param name="prior">[F,T]; null for 0.</param>
    /// <returns>[F,T].</returns>
    /// <exception cref="ArithmeticException">The equations have no one solution: the penalty is too small.</exception>
    public double[] Solve(ReadOnlySpan<double> penalty, ReadOnlySpan<double> prior = default)
    {
        double[] factor = [.. _moment], x = [.. _cross];
        for (var i = 0; i < features; i++)
        {
            factor[i * features + i] += penalty[i];
            for (var t = 0; t < targets && prior.Length > 0; t++) x[i * targets + t] += penalty[i] * prior[i * targets + t];
        }
        Cholesky.Factor(factor, features);
        Substitute(factor, x);
        return x;
    }

    /// <summary>L L^T X = B, forward and back.</summary>
    void Substitute(double[] factor, double[] x)
    {
        for (var i = 0; i < features; i++) Eliminate(i, 0, i, (row, other) => factor[row * features + other]);
        for (var i = features - 1; i >= 0; i--) Eliminate(i, i + 1, features, (row, other) => factor[other * features + row]);

        void Eliminate(int row, int from, int to, Func<int, int, double> coefficient)
        {
            var target = x.AsSpan(row * targets, targets);
            for (var other = from; other < to; other++)
            {
                var source = x.AsSpan(other * targets, targets);
                var c = coefficient(row, other);
                for (var t = 0; t < targets; t++) target[t] -= c * source[t];
            }
            foreach (ref var value in target) value /= factor[row * features + row];
        }
    }

    static void Add(double[] sum, int stride, ReadOnlySpan<float> values, int row, int column, int columns, double sign)
    {
        for (var i = 0; i < values.Length; i++) sum[(row + i / columns) * stride + column + i % columns] += sign * values[i];
    }
}
