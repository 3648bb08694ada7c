using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ShiftAddVit.Tensors;

/// <summary>The check that inputs and weights pass once, at the boundary; kernels assume it.</summary>
static class Finite
{
    /// <summary>Whether no value is NaN or infinite.</summary>
    public static bool All(ReadOnlySpan<float> values)
    {
        // 0 * x is 0 for every finite x and NaN for all others, and a sum never loses a NaN. 128 bits, because code for them can be compiled ahead.
        var vectors = MemoryMarshal.Cast<float, Vector128<float>>(values);
        var sum = Vector128<float>.Zero;
        foreach (var vector in vectors) sum += vector * Vector128<float>.Zero;
        var total = Vector128.Sum(sum);
        foreach (var value in values[(vectors.Length * Vector128<float>.Count)..]) total += value * 0;
        return total == 0;
    }
}
