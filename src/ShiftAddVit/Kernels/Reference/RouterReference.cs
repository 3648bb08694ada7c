using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>What <see cref="RouterOps"/> computes, for one row; defines its bits.</summary>
static class RouterReference
{
    /// <summary>The expert of a row and its gate.</summary>
    /// <param name="q">[K].</param>
    /// <param name="sx">The row's scale.</param>
    /// <param name="weights">[E,K].</param>
    /// <param name="sw">[E].</param>
    /// <param name="bias">[E].</param>
    public static (int Expert, float Gate) Route(
        ReadOnlySpan<byte> q, float sx, ReadOnlySpan<sbyte> weights, ReadOnlySpan<float> sw, ReadOnlySpan<float> bias)
    {
        var (z, best) = (new float[sw.Length], 0);
        for (var e = 0; e < z.Length; e++)
        {
            var sum = 0;
            for (var k = 0; k < q.Length; k++) sum += weights[e * q.Length + k] * (q[k] - 128);
            var scale = sx * sw[e];
            var scaled = sum * scale;
            z[e] = scaled + bias[e];
            if (z[e] > z[best]) best = e;
        }
        var total = 0f;
        foreach (var logit in z) total += Elementary.Exp(FloatLanes1.Create(logit - z[best])).MaxLane();
        return (best, 1 / total);
    }
}
