using System.Globalization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>What becomes of a layer's outputs in a model, where the kernel does that in the same call.</summary>
public enum LinearOutput
{
    /// <summary>Scaled and stored: patch embedding, heads, attention's second product. For float weights whatever follows is no matter of the kernel.</summary>
    Stored,

    /// <summary>Added to the residual stream: projection and fc2.</summary>
    Residual,

    /// <summary>Through gelu, the largest magnitude of each row kept: fc1.</summary>
    Gelu,

    /// <summary>Three parts: queries and keys, quantised head by head, and values: qkv.</summary>
    Heads,

    /// <summary>Stored as int32 sums: attention's first product.</summary>
    Sums,
}

/// <summary>A linear layer as kernels see it: M rows of K inputs at a time by weights [N,K] of a format.</summary>
/// <param name="Weights">The format of the weights, which says how the inputs come: floats for F32, U8 rows otherwise.</param>
/// <param name="M">Rows at a time.</param>
/// <param name="K">Inputs.</param>
/// <param name="N">Outputs.</param>
/// <param name="Output">What becomes of the outputs.</param>
/// <param name="HeadSize">D for <see cref="LinearOutput.Heads"/>, whose N is three times a multiple of it; 0 otherwise.</param>
public readonly record struct LinearShape(
    WeightFormat Weights, int M, int K, int N, LinearOutput Output = LinearOutput.Stored, int HeadSize = 0)
{
    /// <summary>What is computed: MatShift for P4, P4P4 and P5, MatMul otherwise.</summary>
    public Operation Operation => Weights is WeightFormat.P4 or WeightFormat.P4P4 or WeightFormat.P5 ? Operation.MatShift : Operation.MatMul;

    /// <summary>Format, extents and what becomes of the outputs unless they are just stored, e.g. <c>P4P4 24x192x768 gelu</c>.</summary>
    public override string ToString()
    {
        var output = Output switch
        {
            LinearOutput.Stored => "",
            LinearOutput.Heads => $" heads of {HeadSize}",
            _ => $" {Output}".ToLowerInvariant(),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{Weights} {M}x{K}x{N}{output}");
    }
}
