namespace ShiftAddVit.Tuning;

/// <summary>The extents of a matrix product [M,K] x [N,K] -> [M,N].</summary>
/// <param name="M">Rows.</param>
/// <param name="K">Inputs.</param>
/// <param name="N">Outputs.</param>
public readonly record struct MatrixShape(int M, int K, int N)
{
    /// <summary>M * K * N: multiply-adds, or what stands for them.</summary>
    public long Operations => (long)M * K * N;

    /// <summary>The extents in the order of the operands, as in 3136x64x512.</summary>
    public override string ToString() => $"{M}x{K}x{N}";
}
