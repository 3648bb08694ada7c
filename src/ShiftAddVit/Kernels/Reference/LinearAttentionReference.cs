using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>
/// Codes, and the operations of <see cref="LinearAttentionOps"/>, <see cref="HashOps"/> and biased softmax, one element at a time: they define the bits.
/// Letters: N tokens, D channels of a head, I bits, A anchors.
/// </summary>
static class LinearAttentionReference
{
    const int Lanes = 16, Taps = 9;

    /// <summary>Element i to lane i % 16, then lanes by halves.</summary>
    public static float Sum(ReadOnlySpan<float> values)
    {
        var lanes = new float[Lanes];
        for (var i = 0; i < values.Length; i++) lanes[i % Lanes] += values[i];
        for (var half = Lanes / 2; half > 0; half /= 2)
            for (var lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
        return lanes[0];
    }

    /// <summary>Bit d is y[d] > 0; the mean of |y|.</summary>
    public static (ulong Code, float Magnitude) Code(ReadOnlySpan<float> y)
    {
        ulong code = 0;
        var magnitudes = new float[y.Length];
        for (var d = 0; d < y.Length; d++)
        {
            if (y[d] > 0) code |= 1UL << d;
            magnitudes[d] = MathF.Abs(y[d]);
        }
        return (code, Sum(magnitudes) * (1f / y.Length));
    }

    /// <summary>Bit r is SUM_a projection[r,a] (e^(-||x - anchor[a]||^2 / (2 spread)) - mean[a]) > 0, x brought to length 1.</summary>
    public static ulong Hash(
        ReadOnlySpan<float> x, ReadOnlySpan<float> anchors, float spread, ReadOnlySpan<float> mean, ReadOnlySpan<float> projection)
    {
        var (d, squares) = (x.Length, new float[x.Length]);
        for (var c = 0; c < d; c++) squares[c] = x[c] * x[c];
        var factor = 1 / MathF.Sqrt(Sum(squares) + HashOps.LengthEpsilon);
        var similarities = new float[mean.Length];
        for (var a = 0; a < mean.Length; a++)
        {
            var distance = 0f;
            for (var c = 0; c < d; c++)
            {
                var difference = x[c] * factor - anchors[a * d + c];
                distance = float.MultiplyAddEstimate(difference, difference, distance);
            }
            similarities[a] = Exp(distance * (-0.5f / spread)) - mean[a];
        }
        ulong code = 0;
        for (var r = 0; r < projection.Length / mean.Length; r++)
        {
            var sum = 0f;
            for (var a = 0; a < mean.Length; a++) sum = float.MultiplyAddEstimate(similarities[a], projection[r * mean.Length + a], sum);
            if (sum > 0) code |= 1UL << r;
        }
        return code;
    }

    /// <summary>As <see cref="AttentionReference.Softmax"/> of z[j] = (float)acc[j] * (rowScale * sk[j]) + beta[j] and 40 steps a unit.</summary>
    public static int BiasedSoftmax(ReadOnlySpan<int> acc, float rowScale, ReadOnlySpan<float> sk, ReadOnlySpan<float> beta, Span<byte> p)
    {
        var z = new float[acc.Length];
        var max = float.MinValue;
        for (var j = 0; j < acc.Length; j++)
        {
            var scale = rowScale * sk[j];
            var scaled = acc[j] * scale;
            max = MathF.Max(max, z[j] = scaled + beta[j]);
        }
        var sum = 0;
        for (var j = 0; j < acc.Length; j++)
        {
            var steps = MathF.Min(MathF.Round((max - z[j]) * ExponentialTable.StepsPerUnit, MidpointRounding.ToEven), ExponentialTable.Length - 1);
            sum += p[j] = ExponentialTable.Values[(int)steps];
        }
        return sum;
    }

    /// <summary>w[j] = e^(beta[j] - max beta), times 1 / SUM_j of it.</summary>
    public static float[] Weigh(ReadOnlySpan<float> beta)
    {
        var max = float.MinValue;
        foreach (var b in beta) max = MathF.Max(max, b);
        var w = new float[beta.Length];
        for (var j = 0; j < w.Length; j++) w[j] = Exp(beta[j] - max);
        var factor = 1 / Sum(w);
        for (var j = 0; j < w.Length; j++) w[j] *= factor;
        return w;
    }

    /// <summary>mu[d] = SUM_j w[j] v[j,d].</summary>
    public static float[] Mean(ReadOnlySpan<float> w, ReadOnlySpan<float> v)
    {
        var d = v.Length / w.Length;
        var mean = new float[d];
        for (var j = 0; j < w.Length; j++)
            for (var c = 0; c < d; c++) mean[c] = float.MultiplyAddEstimate(w[j], v[j * d + c], mean[c]);
        return mean;
    }

    /// <summary>u[j,d] = w[j] (v[j,d] - mu[d]).</summary>
    public static float[] Centre(ReadOnlySpan<float> w, ReadOnlySpan<float> v, ReadOnlySpan<float> mean)
    {
        var u = new float[v.Length];
        for (var i = 0; i < v.Length; i++) u[i] = w[i / mean.Length] * (v[i] - mean[i % mean.Length]);
        return u;
    }

    /// <summary>S[t,d] = SUM_j (bq_t . bk_j) u[j,d], codes +1 and -1 or 1 and 0.</summary>
    public static int[] Sums(ReadOnlySpan<ulong> queries, ReadOnlySpan<ulong> keys, int bits, bool signed, ReadOnlySpan<sbyte> u)
    {
        var d = u.Length / keys.Length;
        var sums = new int[queries.Length * d];
        for (var t = 0; t < queries.Length; t++)
            for (var j = 0; j < keys.Length; j++)
            {
                var product = Product(queries[t], keys[j], bits, signed);
                for (var c = 0; c < d; c++) sums[t * d + c] += product * u[j * d + c];
            }
        return sums;
    }

    /// <summary>bq . bk.</summary>
    public static int Product(ulong query, ulong key, int bits, bool signed)
    {
        var product = 0;
        for (var i = 0; i < bits; i++) product += Element(query, i) * Element(key, i);
        return product;

        int Element(ulong code, int bit) => (int)(code >> bit & 1) * (signed ? 2 : 1) - (signed ? 1 : 0);
    }

    /// <summary>y[t,d] = S factor[t] scale[d] + mu[d] + a[d] v[t,d] [+ 3x3 filter on the grid].</summary>
    public static float Taylor(int sum, float factor, float scale, float mean, float skip, float value)
    {
        var scaled = sum * (factor * scale);
        return float.MultiplyAddEstimate(skip, value, scaled + mean);
    }

    /// <summary>y plus the 3x3 filter [9] of a channel at a token; v [N,D].</summary>
    public static float AddGrid(float y, ReadOnlySpan<float> filter, ReadOnlySpan<float> v, int d, int token, int channel, int prefix, int side)
    {
        if (token < prefix) return y;
        var (row, column) = Math.DivRem(token - prefix, side);
        for (var k = 0; k < Taps; k++)
        {
            var (r, c) = (row + k / 3 - 1, column + k % 3 - 1);
            if (r < 0 || c < 0 || r >= side || c >= side) continue;
            y = float.MultiplyAddEstimate(filter[k], v[(prefix + r * side + c) * d + channel], y);
        }
        return y;
    }

    /// <summary>y plus the filter [9] of a head along the tokens; v [N,D].</summary>
    public static float AddTokens(float y, ReadOnlySpan<float> filter, ReadOnlySpan<float> v, int d, int token, int channel)
    {
        for (var k = 0; k < Taps; k++)
        {
            var other = token + k - Taps / 2;
            if (other >= 0 && other < v.Length / d) y = float.MultiplyAddEstimate(filter[k], v[other * d + channel], y);
        }
        return y;
    }

    /// <summary>x[d] = S[d] scale[d] + v[d] / 2, divided by sqrt(SUM_d x^2 + epsilon).</summary>
    public static float[] Angular(ReadOnlySpan<int> sums, ReadOnlySpan<float> scales, ReadOnlySpan<float> values)
    {
        var (x, squares) = (new float[sums.Length], new float[sums.Length]);
        for (var d = 0; d < x.Length; d++)
        {
            var scaled = sums[d] * scales[d];
            x[d] = scaled + values[d] * 0.5f;
            squares[d] = x[d] * x[d];
        }
        var factor = 1 / MathF.Sqrt(Sum(squares) + LinearAttentionOps.NormEpsilon);
        for (var d = 0; d < x.Length; d++) x[d] *= factor;
        return x;
    }

    static unsafe float Exp(float x)
    {
        Elementary.Exp(FloatLanes1.Create(x)).Store(&x);
        return x;
    }
}
