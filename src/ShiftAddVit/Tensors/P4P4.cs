namespace ShiftAddVit.Tensors;

/// <summary>
/// The 8-bit code of a two-term shift weight: the <see cref="P4"/> code of the larger term in the low nibble, of the smaller in the
/// high one. Each value has one canonical pair: the fewest terms first, then a sum before a difference (3 = 2 + 1, 7 = 8 - 1).
/// </summary>
public static class P4P4
{
    /// <summary>The largest magnitude allowed, so that a weight fits a signed byte (64 + 64 is left out).</summary>
    public const int MaxMagnitude = 127;

    static readonly short[] CodeOfMagnitude = BuildCodes();

    /// <summary>Whether <paramref name="code"/> is the canonical pair of its value.</summary>
    public static bool IsCanonical(byte code)
    {
        if (!P4.IsCanonical(code & 15) || !P4.IsCanonical(code >> 4)) return false;
        var value = Decode(code);
        return CanEncode(value) && Encode(value) == code;
    }

    /// <summary>The sum of the two terms of a code.</summary>
    public static int Decode(byte code) => P4.Decode(code & 15) + P4.Decode(code >> 4);

    /// <summary>Whether <paramref name="value"/> is one of the 77 values of the format.</summary>
    public static bool CanEncode(int value) => value is >= -MaxMagnitude and <= MaxMagnitude && CodeOfMagnitude[Math.Abs(value)] >= 0;

    /// <summary>The canonical code of a value.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is none of the 77 values.</exception>
    public static byte Encode(int value)
    {
        if (!CanEncode(value)) throw new ArgumentOutOfRangeException(nameof(value), value, "not a sum of two values +-2^p with p = 0..6");
        int code = CodeOfMagnitude[Math.Abs(value)];
        return (byte)(value >= 0 ? code : Negate(code & 15) | (Negate(code >> 4) << 4));
    }

    static int Negate(int p4) => p4 == 0 ? 0 : p4 ^ 8;

    /// <summary>The code of every magnitude 0..127, or -1 where there is none.</summary>
    static short[] BuildCodes()
    {
        var codes = new short[MaxMagnitude + 1];
        Array.Fill(codes, (short)-1);
        codes[0] = 0;
        for (var p = 0; p <= P4.MaxExponent; p++) codes[1 << p] = (short)P4.Encode(1 << p);
        foreach (var sign in (ReadOnlySpan<int>)[1, -1])
            for (var larger = 1; larger <= P4.MaxExponent; larger++)
                for (var smaller = 0; smaller < larger; smaller++)
                {
                    ref var code = ref codes[(1 << larger) + (sign << smaller)];
                    if (code < 0) code = (short)(P4.Encode(1 << larger) | (P4.Encode(sign << smaller) << 4));
                }
        return codes;
    }
}
