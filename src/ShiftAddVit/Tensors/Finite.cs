using System.Numerics;
using System.Runtime.InteropServices;

namespace ShiftAddVit.Tensors;

/// <summary>The check that inputs and weights pass once, at the boundary; kernels assume it.</summary>
static class Finite
{
    /// <summary>Whether no value is NaN or infinite.</summary>
    public static bool All(ReadOnlySpan<float> values)
    {
        // 0 * x is 0 for every finite x and NaN for all others, and a sum never loses a NaN.
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        var sum = Vector<float>.Zero;
        foreach (var vector in vectors) sum += vector * Vector<float>.Zero;
        var total = Vector.Sum(sum);
        foreach (var value in values[(vectors.Length * Vector<float>.Count)..]) total += value * 0;
        return total == 0;
    }
}
