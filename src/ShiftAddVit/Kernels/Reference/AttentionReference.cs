using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>The operations of <see cref="AttentionOps"/> and <see cref="ValuePacking"/>, one element at a time: they define the bits.</summary>
static class AttentionReference
{
    /// <summary>Each group of D elements as <see cref="RowReference.Quantize"/> does a row.</summary>
    public static void QuantizeHeads(ReadOnlySpan<float> x, int d, Span<byte> q, Span<float> scales)
    {
        for (var h = 0; h < scales.Length; h++) scales[h] = RowReference.Quantize(x.Slice(h * d, d), q.Slice(h * d, d));
    }

    /// <summary>p[j] = table[min(255, roundHalfEven((max z - z[j]) * factor))], z[j] = (float)acc[j] * sk[j]. Returns SUM p.</summary>
    public static int Softmax(ReadOnlySpan<int> acc, ReadOnlySpan<float> sk, float factor, Span<byte> p)
    {
        var max = float.MinValue;
        for (var j = 0; j < acc.Length; j++) max = MathF.Max(max, acc[j] * sk[j]);
        var sum = 0;
        for (var j = 0; j < acc.Length; j++)
        {
            var steps = MathF.Min(MathF.Round((max - acc[j] * sk[j]) * factor, MidpointRounding.ToEven), ExponentialTable.Length - 1);
            sum += p[j] = ExponentialTable.Values[(int)steps];
        }
        return sum;
    }

    /// <summary>
    /// sv[d] = max_j |v[j,d]| / 127 (1 where that is negligible); q[j,d] = clamp(roundHalfEven(v[j,d] * (127 / max_j |v[j,d]|)), -127, 127).
    /// v and q are [N,D].
    /// </summary>
    public static void QuantizeValues(ReadOnlySpan<float> v, int d, Span<sbyte> q, Span<float> scales)
    {
        for (var column = 0; column < d; column++)
        {
            var max = 0f;
            for (var i = column; i < v.Length; i += d) max = MathF.Max(max, MathF.Abs(v[i]));
            var zero = max < Negligible.Below;
            var reciprocal = zero ? 0 : 127 / max;
            scales[column] = zero ? 1 : max / 127;
            for (var i = column; i < v.Length; i += d)
                q[i] = (sbyte)Math.Clamp((int)MathF.Round(v[i] * reciprocal, MidpointRounding.ToEven), -127, 127);
        }
    }

    /// <summary>y[d] = (float)acc[d] * (factor * sv[d]).</summary>
    public static void Combine(ReadOnlySpan<int> acc, float factor, ReadOnlySpan<float> sv, Span<float> y)
    {
        for (var d = 0; d < acc.Length; d++) y[d] = acc[d] * (factor * sv[d]);
    }
}
