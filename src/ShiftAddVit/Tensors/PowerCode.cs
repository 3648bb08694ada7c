namespace ShiftAddVit.Tensors;

/// <summary>
/// Codes of the integers 0 and +-2^p, p = 0, 1...: below the sign, a bit, stand 0 for the value 0 and p + 1 for a power. The sign alone, a
/// negative zero, is not canonical.
/// </summary>
static class PowerCode
{
    public static bool IsCanonical(int code, int sign) => code >= 0 && code < 2 * sign && code != sign;

    public static int Decode(int code, int sign)
    {
        var magnitude = (1 << (code & (sign - 1))) >> 1;
        return (code & sign) == 0 ? magnitude : -magnitude;
    }

    public static int Encode(int value, int sign)
    {
        if (value == 0) return 0;
        var (magnitude, largest) = (Math.Abs((long)value), sign - 2);
        if (!long.IsPow2(magnitude) || magnitude > 1L << largest)
            throw new ArgumentOutOfRangeException(nameof(value), value, $"neither 0 nor +-2^p with p = 0..{largest}");
        return (value < 0 ? sign : 0) | ((int)long.Log2(magnitude) + 1);
    }
}
