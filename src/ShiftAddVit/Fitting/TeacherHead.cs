namespace ShiftAddVit.Fitting;

/// <summary>What softmax attention does in one head on one image: N tokens, D channels.</summary>
/// <param name="Queries">q [N,D].</param>
/// <param name="Keys">k [N,D].</param>
/// <param name="Values">v [N,D].</param>
/// <param name="Scores">s_ij = q_i . k_j / sqrt D, [N,N].</param>
/// <param name="Probabilities">p_ij = softmax_j(s), [N,N].</param>
sealed record TeacherHead(float[] Queries, float[] Keys, float[] Values, float[] Scores, float[] Probabilities)
{
    /// <summary>Computes a head.</summary>
    /// <param name="products">The products.</param>
    /// <param name="qkv">Queries, keys and values of all heads, [N,3C].</param>
    /// <param name="width">C.</param>
    /// <param name="head">Which.</param>
    /// <param name="d">D.</param>
    public static TeacherHead Of(FloatProducts products, float[] qkv, int width, int head, int d)
    {
        var (q, k, v) = (Part(0), Part(1), Part(2));
        var scores = products.ByRows(q, k, d);
        var scale = 1 / MathF.Sqrt(d);
        foreach (ref var score in scores.AsSpan()) score *= scale;
        return new(q, k, v, scores, Softmax(scores, q.Length / d));

        float[] Part(int part) => FloatProducts.Columns(qkv, 3 * width, part * width + head * d, d);
    }

    /// <summary>Row by row, of scores [N,N].</summary>
    public static float[] Softmax(ReadOnlySpan<float> scores, int n)
    {
        var p = scores.ToArray();
        for (var i = 0; i < n; i++)
        {
            var row = p.AsSpan(i * n, n);
            var max = float.MinValue;
            foreach (var score in row) max = MathF.Max(max, score);
            var sum = 0f;
            foreach (ref var value in row) sum += value = MathF.Exp(value - max);
            foreach (ref var value in row) value /= sum;
        }
        return p;
    }
}
