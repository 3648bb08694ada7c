namespace ShiftAddVit.Kernels.Reference;

/// <summary>
/// What the authors' released code computes (GATECH-EIC/ShiftAddViT at 47671cf), to compare with it and for nothing else: no model runs
/// this. It keeps what this library does otherwise: norms have no epsilon, so that tokens of zeros become NaN; a hash measures its spread
/// on the tokens it is given; thresholds and scales of codes are means over all images of the batch; hashed queries and keys are one and
/// the same; activations of shift layers are Q16.16. The released code works in float32, this in double.
/// </summary>
static class AsReleased
{
    /// <summary>Taps of the filter along the tokens.</summary>
    const int Taps = 9;

    /// <summary>x / ||x|| for each token, NaN where it is all 0. x is [N,D] or any number of these.</summary>
    public static double[] Normalize(ReadOnlySpan<double> x, int d)
    {
        var y = x.ToArray();
        for (var i = 0; i < y.Length; i += d) DivideByNorm(y.AsSpan(i, d));
        return y;
    }

    /// <summary>
    /// Bit r of a token x: SUM_a projection[r,a] (K_a - mean[a]) > 0, K_a = e^(-||x - anchor_a||^2 / (2 spread)), the spread being the mean
    /// squared distance between these tokens and the anchors. x is [N,D] of one image and head, of length 1; anchors [A,D], mean [A],
    /// projection [I,A]. Returns [N,I] of 0 and 1.
    /// </summary>
    public static double[] Hash(
        ReadOnlySpan<double> x, ReadOnlySpan<double> anchors, ReadOnlySpan<double> mean, ReadOnlySpan<double> projection)
    {
        var d = anchors.Length / mean.Length;
        var (n, bits) = (x.Length / d, projection.Length / mean.Length);
        var distances = new double[n * mean.Length];
        for (var i = 0; i < distances.Length; i++)
            distances[i] = SquaredDistance(x.Slice(i / mean.Length * d, d), anchors.Slice(i % mean.Length * d, d));
        var spread = distances.Average();
        var codes = new double[n * bits];
        for (var i = 0; i < codes.Length; i++)
        {
            var (ofToken, ofBit) = (i / bits * mean.Length, i % bits * mean.Length);
            double y = 0;
            for (var a = 0; a < mean.Length; a++) y += projection[ofBit + a] * (Math.Exp(-distances[ofToken + a] / (2 * spread)) - mean[a]);
            codes[i] = y > 0 ? 1 : 0;
        }
        return codes;
    }

    /// <summary>"Quant." of PVTv2: 1 where an element is above the mean of all, else 0. x is [B,H,N,D], tokens of length 1.</summary>
    public static double[] CodesAboveMean(ReadOnlySpan<double> x)
    {
        double mean = 0;
        foreach (var value in x) mean += value / x.Length;
        return [.. x.ToArray().Select(value => StraightThrough(value - mean > 0 ? 1 : 0, value))];
    }

    /// <summary>"Quant." of PVTv1: the mean magnitude of all where an element is above 0, else 0. x as for PVTv2.</summary>
    public static double[] ScaledCodes(ReadOnlySpan<double> x)
    {
        double mean = 0;
        foreach (var value in x) mean += Math.Abs(value) / x.Length;
        return [.. x.ToArray().Select(value => StraightThrough(mean * (value > 0 ? 1 : 0), value))];
    }

    /// <summary>
    /// y = t / ||t|| + conv(v), t_i = v_i / 2 + bq_i (bk^T v) / pi, conv the filter of 9 taps along the tokens, with zeros around them. One
    /// image and head: bq and bk are [N,I], v and y [N,D].
    /// </summary>
    public static double[] Attend(
        ReadOnlySpan<double> bq, ReadOnlySpan<double> bk, ReadOnlySpan<double> v, ReadOnlySpan<double> filter, int d)
    {
        var n = v.Length / d;
        var bits = bq.Length / n;
        var products = new double[bits * d];
        for (var i = 0; i < bk.Length; i++)
            for (var j = 0; j < d; j++) products[i % bits * d + j] += bk[i] * v[i / bits * d + j];
        var y = new double[v.Length];
        for (var i = 0; i < y.Length; i++)
        {
            for (var bit = 0; bit < bits; bit++) y[i] += bq[i / d * bits + bit] * products[bit * d + i % d];
            y[i] = 0.5 * v[i] + 1 / Math.PI * y[i];
        }
        y = Normalize(y, d);
        for (var i = 0; i < y.Length; i++)
            for (var tap = 0; tap < Taps; tap++)
                if (i / d + tap - Taps / 2 is var token && token >= 0 && token < n) y[i] += filter[tap] * v[token * d + i % d];
        return y;
    }

    /// <summary>
    /// The shift layer (DeepShift-PS of 5 bits): y = x W^T + bias, W = sign(round(sign)) 2^round(shift), the shift within -14..0, halves to
    /// even. x is [M,K], shift and sign [N,K], bias [N], y [M,N].
    /// </summary>
    public static double[] Linear(ReadOnlySpan<double> x, ReadOnlySpan<double> shift, ReadOnlySpan<double> sign, ReadOnlySpan<double> bias)
    {
        var k = shift.Length / bias.Length;
        var y = new double[x.Length / k * bias.Length];
        for (var i = 0; i < y.Length; i++)
        {
            var (m, n) = (i / bias.Length, i % bias.Length);
            y[i] = FixedPoint(bias[n]);
            for (var j = 0; j < k; j++)
            {
                var weight = Math.Sign(Math.Round(sign[n * k + j])) * Math.ScaleB(1, (int)Math.Round(Math.Clamp(shift[n * k + j], -14, 0)));
                y[i] += FixedPoint(x[m * k + j]) * weight;
            }
        }
        return y;
    }

    /// <summary>Q16.16, rounded down; its largest value is 2^15 - 1, not 2^15 - 2^-16.</summary>
    static double FixedPoint(double x) => Math.Clamp(Math.Floor(x * 65536) / 65536, -32768, 32767);

    /// <summary>The value of a straight-through estimator, whose two terms cancel unless the element is NaN.</summary>
    static double StraightThrough(double code, double x) => code - Math.Clamp(x, 0, 1) + Math.Clamp(x, 0, 1);

    static double SquaredDistance(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (var i = 0; i < a.Length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }

    static void DivideByNorm(Span<double> x)
    {
        double squares = 0;
        foreach (var value in x) squares += value * value;
        foreach (ref var value in x) value /= Math.Sqrt(squares);
    }
}
