namespace ShiftAddVit.Tensors;

/// <summary>
/// Weights as DeepShift has them (Elhoushi et al. 2021), with a wide range in place of row scales: 0 and +-2^p, p = -14..0. Here they are
/// the integers 0 and +-2^(p + 14), each times <see cref="Scale"/>. The 5-bit code: bits 0..3 are 0 for the value 0 and p + 15 otherwise; bit
/// 4 is the sign. Code 16, a negative zero, is not canonical and never valid.
/// </summary>
public static class P5
{
    /// <summary>The least exponent p; the largest is 0.</summary>
    public const int MinExponent = -MaxShift;

    /// <summary>2^-14, what the integer 1 stands for.</summary>
    public const float Scale = 1f / (1 << MaxShift);

    /// <summary>
    /// An integer is 255 times a high byte plus a low one, both -127..127. With 256 instead, 2^7 would be 256 - 128, and not every kernel takes
    /// -128.
    /// </summary>
    internal const int HighWeight = 255;

    const int Sign = 16, MaxShift = Sign - 2;

    /// <summary>Whether <paramref name="code"/> is one of the 31 canonical codes.</summary>
    public static bool IsCanonical(int code) => PowerCode.IsCanonical(code, Sign);

    /// <summary>The integer 0 or +-2^(p + 14) of a code.</summary>
    public static int Decode(int code) => PowerCode.Decode(code, Sign);

    /// <summary>The code of an integer 0 or +-2^(p + 14), p = -14..0.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is none of the 31 integers.</exception>
    public static int Encode(int value) => PowerCode.Encode(value, Sign);

    /// <summary>
    /// The magnitude nearest to a number in its logarithm, as DeepShift rounds: 2^clamp(round(log2 x), 0, 14), and 0 for 0 only. There are no
    /// ties: the square roots between two powers are irrational.
    /// </summary>
    internal static float NearestMagnitude(float x) => x == 0 ? 0 : 1 << (int)Math.Round(Math.Clamp(Math.Log2(x), 0, MaxShift));

    internal static sbyte High(int value) => (sbyte)(Math.Sign(value) * ((Math.Abs(value) + 128) >> 8));

    internal static sbyte Low(int value) => (sbyte)(value - HighWeight * High(value));
}
