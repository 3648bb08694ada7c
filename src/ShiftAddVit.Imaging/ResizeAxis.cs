namespace ShiftAddVit.Imaging;

/// <summary>
/// The weights of an antialiased bicubic resize along one axis, for a range of the outputs: output i is
/// SUM_k Weights(i)[k] * input[First(i) + k] / 2^<see cref="FractionBits"/>.
/// </summary>
/// <remarks>
/// The kernel is Keys' cubic with a = -1/2, stretched by the scale when shrinking. It is cut off at the image's edges and what is left
/// normalised to 1, as Pillow does; libraries that repeat the edge pixel differ there.
/// </remarks>
sealed class ResizeAxis
{
    /// <summary>Bits after the point: weights of sum 1 and sum of magnitudes below 2, times 255, stay below 2^31.</summary>
    public const int FractionBits = 22;

    const double KernelRadius = 2;

    readonly int[] _first;
    readonly int[] _count;
    readonly int[] _weights;
    readonly int _stride;

    /// <summary>Computes the weights of outputs [start, start + count), of <paramref name="output"/> in all.</summary>
    public ResizeAxis(int input, int output, int start, int count)
    {
        var scale = (double)input / output;
        var stretch = Math.Max(scale, 1);
        var radius = KernelRadius * stretch;
        _stride = Math.Min((int)Math.Ceiling(radius) * 2 + 1, input);
        (_first, _count, _weights) = (new int[count], new int[count], new int[count * _stride]);
        Span<double> taps = new double[_stride];
        for (var i = 0; i < count; i++)
        {
            var center = (start + i + 0.5) * scale;
            var first = Math.Max((int)(center - radius + 0.5), 0);
            var end = Math.Min((int)(center + radius + 0.5), input);
            (_first[i], _count[i]) = (first, end - first);
            Sample(center - first, stretch, taps[..(end - first)]);
            Quantise(taps[..(end - first)], _weights.AsSpan(i * _stride));
        }
    }

    /// <summary>Inputs that the outputs read: [FirstInput, EndInput).</summary>
    public int FirstInput => _first[0];

    /// <inheritdoc cref="FirstInput"/>
    public int EndInput => _first[^1] + _count[^1];

    /// <summary>The first input that output <paramref name="i"/> of the range reads.</summary>
    public int First(int i) => _first[i];

    /// <summary>The weights of output <paramref name="i"/> of the range.</summary>
    public ReadOnlySpan<int> Weights(int i) => _weights.AsSpan(i * _stride, _count[i]);

    // The multiplication by 1 / stretch and the order of the sums decide the last bits: both as in Pillow.
    static void Sample(double center, double stretch, Span<double> taps)
    {
        var (perStretch, sum) = (1 / stretch, 0.0);
        for (var k = 0; k < taps.Length; k++) sum += taps[k] = Cubic((k - center + 0.5) * perStretch);
        for (var k = 0; k < taps.Length; k++) taps[k] /= sum;
    }

    static void Quantise(ReadOnlySpan<double> taps, Span<int> weights)
    {
        for (var k = 0; k < taps.Length; k++) weights[k] = (int)(taps[k] * (1 << FractionBits) + Math.CopySign(0.5, taps[k]));
    }

    static double Cubic(double x)
    {
        const double A = -0.5;
        x = Math.Abs(x);
        if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
        return x < KernelRadius ? (((x - 5) * x + 8) * x - 4) * A : 0;
    }
}
