using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// gelu(x) = max(x, 0) - t(|x|), t(a) = a / 2 erfc(a / sqrt 2), with t by 32 straight lines. Line j serves the a whose nearest multiple of
/// 1/8 is j / 8 (ties to even) and halves the largest error of the secant there; t is 0 from 31 / 8 on. The table, not the formula it
/// came from, defines the bits: t = slope[j] * c + intercept[j], one fused step, c = min(a, <see cref="Last"/>).
/// </summary>
static unsafe class GeluTable
{
    public const int Lines = 32;

    /// <summary>The largest error of the lines against gelu, anywhere.</summary>
    public const float Error = 7.8e-4f;

    /// <summary>The largest a that the last line serves: a float below 31.5 / 8.</summary>
    public const float Last = 3.9374998f;

    /// <summary>2^20: floats there are 1/8 apart, so that a + Bias has j in its lowest five bits.</summary>
    public const float Bias = 1 << 20;

    /// <summary>Where the constants of the formula lie behind the table, each <see cref="ConstantLanes"/> times.</summary>
    public const int MagnitudeIndex = 2 * Lines, LastIndex = MagnitudeIndex + ConstantLanes, BiasIndex = LastIndex + ConstantLanes,
        ZeroIndex = BiasIndex + ConstantLanes;

    /// <summary>The floats of the widest vector.</summary>
    const int ConstantLanes = 16;

    static readonly AlignedBuffer Memory = AlignedBuffer.Copy(
    [
        .. Slopes, .. Intercepts,
        .. Repeat(BitConverter.Int32BitsToSingle(int.MaxValue)), .. Repeat(Last), .. Repeat(Bias), .. Repeat(0),
    ]);

    /// <summary>
    /// 32 slopes, then 32 intercepts, aligned to 64 bytes. Then, as vectors, the mask of |x|, <see cref="Last"/>, <see cref="Bias"/> and 0.
    /// </summary>
    public static float* Pointer { get; } = (float*)Memory.Pointer;

    public static ReadOnlySpan<float> Slopes =>
    [
        0.475082f, 0.400910f, 0.304874f, 0.214735f, 0.132934f, 0.061367f, 0.001279f, -0.046760f,
        -0.082843f, -0.107643f, -0.122299f, -0.128283f, -0.127248f, -0.120890f, -0.110834f, -0.098537f,
        -0.085232f, -0.071893f, -0.059239f, -0.047744f, -0.037675f, -0.029131f, -0.022086f, -0.016426f,
        -0.011989f, -0.008591f, -0.006046f, -0.004179f, -0.002838f, -0.001894f, -0.001242f, 0,
    ];

    public static ReadOnlySpan<float> Intercepts =>
    [
        0.000195f, 0.005402f, 0.023374f, 0.051486f, 0.087200f, 0.127371f, 0.168588f, 0.207526f,
        0.241262f, 0.267527f, 0.284859f, 0.292652f, 0.291113f, 0.281145f, 0.264152f, 0.241852f,
        0.216069f, 0.188562f, 0.160888f, 0.134316f, 0.109785f, 0.087903f, 0.068979f, 0.053070f,
        0.040047f, 0.029648f, 0.021540f, 0.015362f, 0.010757f, 0.007396f, 0.004995f, 0,
    ];

    /// <summary>The line that serves c = min(|x|, <see cref="Last"/>).</summary>
    public static int Line(float c) => BitConverter.SingleToInt32Bits(c + Bias) & (Lines - 1);

    static IEnumerable<float> Repeat(float value) => Enumerable.Repeat(value, ConstantLanes);
}
