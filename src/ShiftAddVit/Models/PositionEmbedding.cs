using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>
/// Learned positions moved to another image size. The flavour is timm's: bicubic (Keys' kernel, a = -1/2) with antialiasing and
/// half-pixel centres, on the patch grid only; prefix tokens keep theirs. Computes what PyTorch's
/// <c>interpolate(mode="bicubic", antialias=True, align_corners=False)</c> does.
/// </summary>
public static class PositionEmbedding
{
    const double KernelRadius = 2;

    /// <summary>Resamples positions.</summary>
    /// <param name="positions">[prefix + from * from, C].</param>
    /// <param name="prefixTokens">Leading rows that are copied.</param>
    /// <param name="to">Patches along one side afterwards.</param>
    /// <returns>[prefix + to * to, C]; <paramref name="positions"/> itself when the grid stays.</returns>
    public static Tensor Resample(Tensor positions, int prefixTokens, int to)
    {
        ArgumentNullException.ThrowIfNull(positions);
        var (tokens, channels) = (positions.Shape[0], positions.Shape[1]);
        var from = (int)Math.Round(Math.Sqrt(tokens - prefixTokens));
        if (from * from != tokens - prefixTokens) throw new ArgumentException($"{tokens - prefixTokens} positions are no square", nameof(positions));
        if (from == to) return positions;

        var weights = Enumerable.Range(0, to).Select(i => AxisWeights(i, from, to)).ToArray();
        var result = new float[(prefixTokens + to * to) * channels];
        positions.Values[..(prefixTokens * channels)].CopyTo(result);
        var grid = positions.Values[(prefixTokens * channels)..];
        for (var y = 0; y < to; y++)
            for (var x = 0; x < to; x++)
                Interpolate(grid, from, weights[y], weights[x], result.AsSpan((prefixTokens + y * to + x) * channels, channels));
        return new(new(prefixTokens + to * to, channels), result);
    }

    static void Interpolate(
        ReadOnlySpan<float> grid, int from, (int First, double[] Weights) rows, (int First, double[] Weights) columns, Span<float> token)
    {
        for (var c = 0; c < token.Length; c++)
        {
            double sum = 0;
            for (var j = 0; j < rows.Weights.Length; j++)
                for (var i = 0; i < columns.Weights.Length; i++)
                    sum += rows.Weights[j] * columns.Weights[i] * grid[((rows.First + j) * from + columns.First + i) * token.Length + c];
            token[c] = (float)sum;
        }
    }

    /// <summary>The source cells that one target cell sees along one axis, weights summing to 1; the kernel widens when the grid shrinks.</summary>
    static (int First, double[] Weights) AxisWeights(int target, int from, int to)
    {
        var scale = (double)from / to;
        var stretch = Math.Max(scale, 1);
        var centre = (target + 0.5) * scale;
        var first = Math.Max((int)(centre - KernelRadius * stretch + 0.5), 0);
        var last = Math.Min((int)(centre + KernelRadius * stretch + 0.5), from);
        var weights = new double[last - first];
        for (var i = 0; i < weights.Length; i++) weights[i] = Keys((first + i - centre + 0.5) / stretch);
        var sum = weights.Sum();
        for (var i = 0; i < weights.Length; i++) weights[i] /= sum;
        return (first, weights);
    }

    /// <summary>Keys' cubic convolution kernel with a = -1/2 (Keys 1981).</summary>
    static double Keys(double x)
    {
        x = Math.Abs(x);
        return x switch
        {
            < 1 => (1.5 * x - 2.5) * x * x + 1,
            < 2 => ((-0.5 * x + 2.5) * x - 4) * x + 2,
            _ => 0,
        };
    }
}
