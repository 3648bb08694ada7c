using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Tests.Inference;

/// <summary>Attention on bytes for one image, from the scalar references alone.</summary>
static class ByteAttention
{
    /// <summary>What attention makes of queries, keys and values [N,3C]: [N,C].</summary>
    public static float[] Run(VitArchitecture architecture, float[] qkv)
    {
        var y = new float[architecture.Tokens * architecture.Width];
        for (var head = 0; head < architecture.Heads; head++) Head(architecture, qkv, head * architecture.HeadSize, y);
        return y;
    }

    static void Head(VitArchitecture architecture, float[] qkv, int first, float[] y)
    {
        var (n, c, d) = (architecture.Tokens, architecture.Width, architecture.HeadSize);
        var (queries, queryScales) = Quantize(Columns(qkv, 3 * c, first, d), d);
        var (keys, keyScales) = Quantize(Columns(qkv, 3 * c, c + first, d), d);
        var (values, valueScales) = (new sbyte[n * d], new float[d]);
        AttentionReference.QuantizeValues(Columns(qkv, 3 * c, 2 * c + first, d), d, values, valueScales);
        for (var i = 0; i < n; i++)
        {
            var (scores, probabilities, sums) = (new int[n], new byte[n], new int[d]);
            for (var j = 0; j < n; j++)
                for (var k = 0; k < d; k++) scores[j] += (queries[i * d + k] - 128) * (keys[j * d + k] - 128);
            var sum = AttentionReference.Softmax(scores, keyScales, queryScales[i] * (ExponentialTable.StepsPerUnit / MathF.Sqrt(d)), probabilities);
            for (var j = 0; j < n; j++)
                for (var k = 0; k < d; k++) sums[k] += probabilities[j] * values[j * d + k];
            AttentionReference.Combine(sums, 1f / sum, valueScales, y.AsSpan(i * c + first, d));
        }
    }

    static (byte[] Q, float[] Scales) Quantize(float[] x, int d)
    {
        var (q, scales) = (new byte[x.Length], new float[x.Length / d]);
        AttentionReference.QuantizeHeads(x, d, q, scales);
        return (q, scales);
    }

    static float[] Columns(float[] rows, int stride, int first, int count) => [.. rows.Chunk(stride).SelectMany(row => row.Skip(first).Take(count))];
}
