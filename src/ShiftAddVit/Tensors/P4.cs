namespace ShiftAddVit.Tensors;

/// <summary>
/// The 4-bit code of a one-term shift weight: bits 0..2 are 0 for the value 0 and p + 1 for +-2^p (p = 0..6); bit 3 is the sign.
/// Code 8, a negative zero, is not canonical and never valid.
/// </summary>
public static class P4
{
    /// <summary>The largest exponent; the largest magnitude is 2^6 = 64.</summary>
    public const int MaxExponent = Sign - 2;

    const int Sign = 8;

    /// <summary>Whether <paramref name="code"/> is one of the 15 canonical codes.</summary>
    public static bool IsCanonical(int code) => PowerCode.IsCanonical(code, Sign);

    /// <summary>The value 0 or +-2^p of a code.</summary>
    public static int Decode(int code) => PowerCode.Decode(code, Sign);

    /// <summary>The code of 0 or +-2^p, p = 0..6.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is none of the 15 values.</exception>
    public static int Encode(int value) => PowerCode.Encode(value, Sign);
}
