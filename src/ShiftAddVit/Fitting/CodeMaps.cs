namespace ShiftAddVit.Fitting;

/// <summary>
/// Linear maps A of a head's queries and B of its keys whose signs say more of the products q . k. With bq = sign(A q), the matrix B that makes
/// B^T bq the best estimate of q makes q . k nearly bq . (B k), so B k is what keys are coded of; and the same for A. A few turns suffice. Maps are
/// folded into the projections' weights and cost nothing afterwards.
/// </summary>
static class CodeMaps
{
    const int Turns = 3;
    const double Ridge = 1e-3;

    /// <summary>Fits the maps.</summary>
    /// <param name="products">The products.</param>
    /// <param name="queries">q [M,D], of many tokens, centred.</param>
    /// <param name="keys">k [M,D].</param>
    /// <param name="d">D.</param>
    /// <param name="signed">Whether codes are +-1.</param>
    public static (float[] Queries, float[] Keys) Fit(FloatProducts products, float[] queries, float[] keys, int d, bool signed)
    {
        var (a, b) = (Identity(d), Identity(d));
        for (var turn = 0; turn < Turns; turn++)
        {
            b = Estimator(products, StudentHead.Code(products.ByRows(queries, a, d), signed), queries, d);
            a = Estimator(products, StudentHead.Code(products.ByRows(keys, b, d), signed), keys, d);
        }
        return (a, b);
    }

    /// <summary>X = argmin SUM |row - X^T code|^2, [D,D].</summary>
    static float[] Estimator(FloatProducts products, float[] codes, float[] rows, int d)
    {
        var (m, squares) = (rows.Length / d, new LeastSquares(d, d));
        squares.AddMoment(products.Gram(codes, codes, m));
        squares.AddCross(products.Gram(codes, rows, m));
        var penalty = new double[d];
        Array.Fill(penalty, Ridge * m);
        return [.. squares.Solve(penalty).Select(value => (float)value)];
    }

    static float[] Identity(int size)
    {
        var matrix = new float[size * size];
        for (var i = 0; i < size; i++) matrix[i * size + i] = 1;
        return matrix;
    }
}
