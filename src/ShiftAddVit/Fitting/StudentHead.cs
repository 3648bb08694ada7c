using ShiftAddVit.Models;

namespace ShiftAddVit.Fitting;

/// <summary>One head of binary attention on one image, in float32: codes, and what the forms make of them (<see cref="AttentionKind"/>).</summary>
/// <param name="Queries">Codes of queries [N,I]: +-1 or 0 and 1.</param>
/// <param name="Keys">Codes of keys [N,I].</param>
/// <param name="QueryScales">mean|q_i| [N]; 1 without code scales.</param>
/// <param name="KeyScales">mean|k_j| [N]; 1 without code scales.</param>
/// <param name="Values">v [N,D].</param>
sealed record StudentHead(float[] Queries, float[] Keys, float[] QueryScales, float[] KeyScales, float[] Values)
{
    /// <summary>Added to the squared length that angular attention divides by.</summary>
    const double Epsilon = 1e-6;

    /// <summary>N.</summary>
    public int Tokens => QueryScales.Length;

    int Bits => Queries.Length / Tokens;

    int HeadSize => Values.Length / Tokens;

    /// <summary>Codes rows, of which thresholds are taken off already.</summary>
    public static float[] Code(ReadOnlySpan<float> rows, bool signed)
    {
        var codes = new float[rows.Length];
        for (var i = 0; i < rows.Length; i++) codes[i] = rows[i] > 0 ? 1 : signed ? -1 : 0;
        return codes;
    }

    /// <summary>The mean magnitude of each row of D.</summary>
    public static float[] MeanMagnitudes(ReadOnlySpan<float> rows, int d)
    {
        var means = new float[rows.Length / d];
        for (var i = 0; i < rows.Length; i++) means[i / d] += MathF.Abs(rows[i]) / d;
        return means;
    }

    /// <summary>z_ij = mean|q_i| mean|k_j| (bq_i . bk_j), [N,N].</summary>
    public float[] ScaledProducts(FloatProducts products) => products.ByRows(Scaled(Queries, QueryScales), Scaled(Keys, KeyScales), Bits);

    /// <summary>y_i = SUM_j softmax_j(tau z_ij + beta_j) v_j, [N,D].</summary>
    public float[] Quadratic(FloatProducts products, float[] z, double tau, float[] beta)
    {
        var logits = new float[z.Length];
        for (var i = 0; i < z.Length; i++) logits[i] = (float)(tau * z[i]) + beta[i % Tokens];
        return products.ByColumns(TeacherHead.Softmax(logits, Tokens), Values, Tokens);
    }

    /// <summary>mu [D] and mean|q_i| bq_i (bk^T [w (v - mu)]) [N,D], w = softmax(beta).</summary>
    public (float[] Mean, float[] Deviation) Taylor(FloatProducts products, float[] beta)
    {
        var w = new float[Tokens];
        var (max, sum) = (beta.Max(), 0f);
        for (var j = 0; j < Tokens; j++) sum += w[j] = MathF.Exp(beta[j] - max);
        for (var j = 0; j < Tokens; j++) w[j] /= sum;
        var mean = products.ByColumns(w, Values, Tokens);
        var u = new float[Values.Length];
        for (var i = 0; i < u.Length; i++) u[i] = w[i / HeadSize] * (Values[i] - mean[i % HeadSize]);
        return (mean, Scaled(ByCodes(products, u), QueryScales));
    }

    /// <summary>norm(v_i / 2 + bq_i (bk^T v) / pi), [N,D].</summary>
    public float[] Angular(FloatProducts products)
    {
        var y = ByCodes(products, Values);
        for (var i = 0; i < y.Length; i++) y[i] = Values[i] / 2 + y[i] / MathF.PI;
        for (var i = 0; i < Tokens; i++)
        {
            var row = y.AsSpan(i * HeadSize, HeadSize);
            double square = Epsilon;
            foreach (var value in row) square += (double)value * value;
            foreach (ref var value in row) value /= (float)Math.Sqrt(square);
        }
        return y;
    }

    /// <summary>SUM_j (bq_i . bk_j + I + 1) v_j / SUM_j (bq_i . bk_j + I + 1), [N,D].</summary>
    public float[] EcoFormer(FloatProducts products)
    {
        var (y, ones) = (ByCodes(products, Values), Enumerable.Repeat(1f, Tokens).ToArray());
        var (sums, counts) = (products.ByColumns(ones, Values, Tokens), products.ByRows(Queries, products.ByColumns(ones, Keys, Tokens), Bits));
        for (var i = 0; i < y.Length; i++)
            y[i] = (y[i] + (Bits + 1) * sums[i % HeadSize]) / (counts[i / HeadSize] + Tokens * (Bits + 1));
        return y;
    }

    /// <summary>bq (bk^T u).</summary>
    float[] ByCodes(FloatProducts products, float[] u) => products.ByColumns(Queries, products.Gram(Keys, u, Tokens), Bits);

    static float[] Scaled(float[] rows, float[] factors)
    {
        var (result, width) = (new float[rows.Length], rows.Length / factors.Length);
        for (var i = 0; i < rows.Length; i++) result[i] = rows[i] * factors[i / width];
        return result;
    }
}
