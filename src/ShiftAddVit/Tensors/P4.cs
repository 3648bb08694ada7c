namespace ShiftAddVit.Tensors;

/// <summary>
/// The 4-bit code of a one-term shift weight: bits 0..2 are 0 for the value 0 and p + 1 for +-2^p (p = 0..6); bit 3 is the sign.
/// Code 8, a negative zero, is not canonical and never valid.
/// </summary>
public static class P4
{
    /// <summary>The largest exponent; the largest magnitude is 2^6 = 64.</summary>
    public const int MaxExponent = 6;

    const int NegativeZero = 8;

    /// <summary>Whether <paramref name="code"/> is one of the 15 canonical codes.</summary>
    public static bool IsCanonical(int code) => code is >= 0 and <= 15 and not NegativeZero;

    /// <summary>The value 0 or +-2^p of a code.</summary>
    public static int Decode(int code)
    {
        var magnitude = (1 << (code & 7)) >> 1;
        return (code & 8) == 0 ? magnitude : -magnitude;
    }

    /// <summary>The code of 0 or +-2^p, p = 0..6.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is none of the 15 values.</exception>
    public static int Encode(int value)
    {
        if (value == 0) return 0;
        var magnitude = Math.Abs((long)value);
        if (!long.IsPow2(magnitude) || magnitude > 1 << MaxExponent)
            throw new ArgumentOutOfRangeException(nameof(value), value, "neither 0 nor +-2^p with p = 0..6");
        return (value < 0 ? 8 : 0) | ((int)long.Log2(magnitude) + 1);
    }
}
