using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Inference;

/// <summary>Binary attention for one image, from the scalar references alone; quadratic attention on bytes, or in double precision.</summary>
sealed class BinaryAttention(VitArchitecture architecture, AttentionForm form, AttentionParameters parameters, float[] qkv, float[] betas, bool exact)
{
    readonly int _n = architecture.Tokens, _c = architecture.Width, _d = architecture.HeadSize;

    /// <summary>What attention makes of queries, keys and values [N,3C] and of the keys' biases [N,H]: [N,C].</summary>
    public static double[] Run(
        VitArchitecture architecture, AttentionForm form, AttentionParameters parameters, float[] qkv, float[] betas, bool exact)
    {
        var attention = new BinaryAttention(architecture, form, parameters, qkv, betas, exact);
        var y = new double[architecture.Tokens * architecture.Width];
        for (var head = 0; head < architecture.Heads; head++)
        {
            var outputs = attention.Head(head);
            for (var i = 0; i < outputs.Length; i++) y[i / attention._d * attention._c + head * attention._d + i % attention._d] = outputs[i];
        }
        return y;
    }

    double[] Head(int head)
    {
        var (queries, queryMagnitudes) = Codes(head, 0);
        var (keys, keyMagnitudes) = Codes(head, _c);
        var v = Columns(2 * _c + head * _d);
        float[] beta = [.. Enumerable.Range(0, _n).Select(j => betas[j * architecture.Heads + head])];
        if (form.Kind == AttentionKind.Quadratic)
            return Quadratic(queries, keys, [.. queryMagnitudes.Select(m => parameters.Temperature!.Values[head] * m)], keyMagnitudes, beta, v);
        var (u, mean) = (v, new float[_d]);
        if (form.Kind == AttentionKind.Taylor)
        {
            var w = LinearAttentionReference.Weigh(beta);
            mean = LinearAttentionReference.Mean(w, v);
            u = LinearAttentionReference.Centre(w, v, mean);
        }
        var (q, scales) = (new sbyte[v.Length], new float[_d]);
        AttentionReference.QuantizeValues(u, _d, q, scales);
        var sums = LinearAttentionReference.Sums(queries, keys, form.CodeBits, form.IsSigned, q);
        var y = form.Kind switch
        {
            AttentionKind.Taylor => Taylor(head, sums, queryMagnitudes, scales, mean, v),
            AttentionKind.Angular => Angular(head, sums, scales, v),
            _ => EcoFormer(queries, keys, sums, scales, q),
        };
        return [.. y.Select(value => (double)value)];
    }

    (ulong[] Codes, float[] Magnitudes) Codes(int head, int first)
    {
        var x = Columns(first + head * _d);
        if (parameters.Hash is { } hash) return ([.. x.Chunk(_d).Select(row => LinearAttentionReference.Hash(
            row, Part(hash.Anchors, head), hash.Spread.Values[head], Part(hash.Mean, head), Part(hash.Projection, head)))], Ones());
        var codes = x.Chunk(_d).Select(row => LinearAttentionReference.Code(row)).ToArray();
        return ([.. codes.Select(code => code.Code)], form.CodeScales ? [.. codes.Select(code => code.Magnitude)] : Ones());

        float[] Ones() => [.. Enumerable.Repeat(1f, _n)];
    }

    ReadOnlySpan<float> Part(Tensor tensor, int head)
    {
        var length = tensor.Values.Length / architecture.Heads;
        return tensor.Values.Slice(head * length, length);
    }

    float[] Columns(int first) => [.. qkv.Chunk(3 * _c).SelectMany(row => row.Skip(first).Take(_d))];

    double[] Quadratic(ulong[] queries, ulong[] keys, float[] rowScales, float[] keyScales, float[] beta, float[] v)
    {
        var (values, valueScales) = (new sbyte[v.Length], new float[_d]);
        AttentionReference.QuantizeValues(v, _d, values, valueScales);
        var y = new double[v.Length];
        for (var i = 0; i < _n; i++)
        {
            int[] scores = [.. keys.Select(key => LinearAttentionReference.Product(queries[i], key, form.CodeBits, form.IsSigned))];
            if (exact)
            {
                var z = scores.Select((score, j) => score * (double)rowScales[i] * keyScales[j] + beta[j]).ToArray();
                var e = z.Select(value => Math.Exp(value - z.Max())).ToArray();
                for (var j = 0; j < _n; j++)
                    for (var c = 0; c < _d; c++) y[i * _d + c] += e[j] / e.Sum() * v[j * _d + c];
                continue;
            }
            var (p, sums, output) = (new byte[_n], new int[_d], new float[_d]);
            var sum = LinearAttentionReference.BiasedSoftmax(scores, rowScales[i], keyScales, beta, p);
            for (var j = 0; j < _n; j++)
                for (var c = 0; c < _d; c++) sums[c] += p[j] * values[j * _d + c];
            AttentionReference.Combine(sums, 1f / sum, valueScales, output);
            for (var c = 0; c < _d; c++) y[i * _d + c] = output[c];
        }
        return y;
    }

    float[] Taylor(int head, int[] sums, float[] factors, float[] scales, float[] mean, float[] v)
    {
        var y = new float[sums.Length];
        for (var i = 0; i < y.Length; i++)
        {
            var (t, c, channel) = (i / _d, i % _d, head * _d + i % _d);
            var scale = scales[c] * parameters.Gain!.Values[channel];
            y[i] = LinearAttentionReference.Taylor(sums[i], factors[t], scale, mean[c], parameters.Skip!.Values[channel], v[i]);
            if (parameters.Convolution is { } filters)
                y[i] = LinearAttentionReference.AddGrid(
                    y[i], filters.Values.Slice(channel * 9, 9), v, _d, t, c, architecture.PrefixTokens, architecture.GridSide);
        }
        return y;
    }

    float[] Angular(int head, int[] sums, float[] scales, float[] v)
    {
        float[] shares = [.. scales.Select(scale => scale * (1 / MathF.PI))];
        var y = new float[sums.Length];
        for (var t = 0; t < _n; t++)
            LinearAttentionReference.Angular(sums.AsSpan(t * _d, _d), shares, v.AsSpan(t * _d, _d)).CopyTo(y, t * _d);
        for (var i = 0; parameters.Convolution is not null && i < y.Length; i++)
            y[i] = LinearAttentionReference.AddTokens(y[i], Part(parameters.Convolution, head), v, _d, i / _d, i % _d);
        return y;
    }

    float[] EcoFormer(ulong[] queries, ulong[] keys, int[] sums, float[] scales, sbyte[] q)
    {
        var y = new float[sums.Length];
        for (var i = 0; i < y.Length; i++)
        {
            var (t, c) = (i / _d, i % _d);
            var (total, weight) = (sums[i], 0);
            for (var j = 0; j < _n; j++)
            {
                total += (form.CodeBits + 1) * q[j * _d + c];
                weight += LinearAttentionReference.Product(queries[t], keys[j], form.CodeBits, signed: true) + form.CodeBits + 1;
            }
            y[i] = total * (1f / weight * scales[c]);
        }
        return y;
    }
}
