using System.Globalization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>A linear layer as kernels see it: M rows of K inputs at a time by weights [N,K] of a format.</summary>
/// <param name="Weights">The format of the weights, which says how the inputs come: floats for F32, U8 rows otherwise.</param>
/// <param name="M">Rows at a time.</param>
/// <param name="K">Inputs.</param>
/// <param name="N">Outputs.</param>
public readonly record struct LinearShape(WeightFormat Weights, int M, int K, int N)
{
    /// <summary>What is computed: MatShift for P4, P4P4 and P5, MatMul otherwise.</summary>
    public Operation Operation => Weights is WeightFormat.P4 or WeightFormat.P4P4 or WeightFormat.P5 ? Operation.MatShift : Operation.MatMul;

    /// <summary>Format and extents, e.g. <c>P4P4 24x192x576</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Weights} {M}x{K}x{N}");
}
