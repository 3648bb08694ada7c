namespace ShiftAddVit.Tensors;

/// <summary>IEEE 754 binary16 as a storage format for float32 values.</summary>
public static class HalfPrecision
{
    /// <summary>Whether every value survives float32 -> float16 -> float32 unchanged, the sign of zero included.</summary>
    public static bool IsExact(ReadOnlySpan<float> values)
    {
        foreach (var value in values)
            if (BitConverter.SingleToInt32Bits((float)(Half)value) != BitConverter.SingleToInt32Bits(value)) return false;
        return true;
    }

    /// <summary>The nearest float16 values, as float32; null when a magnitude exceeds float16's 65,504.</summary>
    public static float[]? Round(ReadOnlySpan<float> values)
    {
        var rounded = new float[values.Length];
        for (var i = 0; i < values.Length; i++)
        {
            rounded[i] = (float)(Half)values[i];
            if (!float.IsFinite(rounded[i])) return null;
        }
        return rounded;
    }

    /// <summary>Float16 values as float32, which is exact.</summary>
    public static float[] Widen(ReadOnlySpan<Half> values)
    {
        var widened = new float[values.Length];
        for (var i = 0; i < values.Length; i++) widened[i] = (float)values[i];
        return widened;
    }
}
