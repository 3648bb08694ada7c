using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Tests.Inference;

/// <summary>
/// Every layer of the forward pass written out one number at a time in double precision, quantised layers by the contract of U8
/// activations. Shares no code with the library but the decoding of weights.
/// </summary>
sealed class ScalarModel(VitGraph graph)
{
    readonly VitArchitecture _architecture = graph.Architecture;

    /// <summary>y[m,n] = SUM_k W[n,k] x[m,k] + b[n]; with integer weights SUM_k w[n,k] q[m,k], exactly, then sx[m] sw[n].</summary>
    public static double[] Linear(Linear layer, float[] x)
    {
        var (outputs, inputs) = (layer.Weight.Outputs, layer.Weight.Inputs);
        var y = new double[x.Length / inputs * outputs];
        for (var m = 0; m < x.Length / inputs; m++)
            Row(layer, x[(m * inputs)..((m + 1) * inputs)]).CopyTo(y, m * outputs);
        return y;
    }

    static double[] Row(Linear layer, float[] x)
    {
        var y = new double[layer.Weight.Outputs];
        var (q, scale) = Quantize(x);
        var integers = new short[x.Length];
        var dense = layer.Weight is DenseWeight weight ? weight.Values.Memory.ToArray() : [];
        for (var n = 0; n < y.Length; n++)
        {
            if (layer.Weight is QuantizedWeight quantised)
            {
                quantised.Plane.DecodeRow(n, integers);
                long sum = 0;
                for (var k = 0; k < x.Length; k++) sum += integers[k] * q[k];
                y[n] = sum * (double)scale * quantised.Scales.Values[n];
            }
            else
                for (var k = 0; k < x.Length; k++) y[n] += (double)dense[n * x.Length + k] * x[k];
            if (layer.Bias is { } bias) y[n] += bias.Values[n];
        }
        return y;
    }

    /// <summary>s = max|x| / 127, q = clamp(roundHalfEven(x (127 / max|x|)), -127, 127); a maximum below 2^-100 counts as 0.</summary>
    public static (int[] Q, float Scale) Quantize(float[] x)
    {
        var max = x.Max(MathF.Abs);
        if (max < MathF.Pow(2, -100)) return (new int[x.Length], 1);
        var reciprocal = 127f / max;
        return ([.. x.Select(value => Math.Clamp((int)MathF.Round(value * reciprocal, MidpointRounding.ToEven), -127, 127))], max / 127);
    }

    public double[] LayerNorm(LayerNorm norm, double[] x)
    {
        var width = _architecture.Width;
        var y = new double[x.Length];
        for (var start = 0; start < x.Length; start += width)
        {
            var row = x[start..(start + width)];
            var mean = row.Average();
            var deviation = Math.Sqrt(row.Average(value => (value - mean) * (value - mean)) + _architecture.LayerNormEpsilon);
            for (var c = 0; c < width; c++) y[start + c] = (row[c] - mean) / deviation * norm.Gamma.Values[c] + norm.Beta.Values[c];
        }
        return y;
    }

    /// <summary>softmax(Q K^T / sqrt(D)) V for one image; qkv is [N,3C], heads side by side.</summary>
    public double[] Attention(double[] qkv)
    {
        var (n, c, d) = (_architecture.Tokens, _architecture.Width, _architecture.HeadSize);
        var y = new double[n * c];
        for (var h = 0; h < c; h += d)
            for (var i = 0; i < n; i++)
            {
                var scores = new double[n];
                for (var j = 0; j < n; j++)
                    for (var k = 0; k < d; k++) scores[j] += qkv[i * 3 * c + h + k] * qkv[j * 3 * c + c + h + k] / Math.Sqrt(d);
                var exponentials = scores.Select(score => Math.Exp(score - scores.Max())).ToArray();
                for (var j = 0; j < n; j++)
                    for (var k = 0; k < d; k++) y[i * c + h + k] += exponentials[j] / exponentials.Sum() * qkv[j * 3 * c + 2 * c + h + k];
            }
        return y;
    }

    public static double[] Gelu(double[] x) => [.. x.Select(value => 0.5 * value * (1 + Erf(value / Math.Sqrt(2))))];

    public static double[] Add(double[] x, double[] y) => [.. x.Zip(y, (a, b) => a + b)];

    /// <summary>The midpoint rule on 2 / sqrt(pi) times the integral of e^(-t^2): good to 1e-7 with 1000 intervals.</summary>
    static double Erf(double z)
    {
        const int Intervals = 1000;
        var limit = Math.Clamp(z, -6, 6);
        double sum = 0;
        for (var i = 0; i < Intervals; i++)
        {
            var t = limit * (i + 0.5) / Intervals;
            sum += Math.Exp(-t * t);
        }
        return 2 / Math.Sqrt(Math.PI) * sum * limit / Intervals;
    }
}

/// <summary>What one run showed its observer, in order.</summary>
sealed class ActivationLog
{
    public List<(ActivationKind Kind, string Name, int Rows, int Columns, float[] Values)> Seen { get; } = [];

    public void Observe(in Activation activation) =>
        Seen.Add((activation.Kind, activation.Name, activation.Rows, activation.Columns, activation.Values.ToArray()));

    public float[] this[ActivationKind kind, string name] => Seen.Single(seen => seen.Kind == kind && seen.Name == name).Values;

    /// <summary>Runs one image.</summary>
    public static ActivationLog Of(CompiledModel model, float[] image)
    {
        var log = new ActivationLog();
        using var session = model.CreateSession(new() { Observer = log.Observe });
        session.Run(image, 1);
        return log;
    }
}
