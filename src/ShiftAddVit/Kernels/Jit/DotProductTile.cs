using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>How a kernel computes its tiles.</summary>
/// <param name="Isa">Its instructions.</param>
/// <param name="Products">How products are formed.</param>
/// <param name="Rows">The most rows of a tile.</param>
/// <param name="Vectors">Vectors of outputs in a panel, all of which a tile covers.</param>
/// <param name="PipelinedInputs">
/// The largest K whose tiles have <see cref="PipelinedRows"/> rows and overlap with the epilogue of the tile before. Beyond it the epilogue
/// weighs little, and weights are better loaded once for more rows.
/// </param>
sealed record DotProductTile(VectorIsa Isa, ProductForm Products, int Rows, int Vectors, int PipelinedInputs = 0)
{
    /// <summary>Rows of a pipelined tile.</summary>
    public const int PipelinedRows = 3;

    /// <summary>Outputs in a panel.</summary>
    public int Nr => Vectors * Isa.Lanes;

    /// <summary>Whether products are of q, so that -128 * SUM_k w is to be added.</summary>
    public bool AccumulatorStarts => Products != ProductForm.SignedPairs;

    /// <summary>Whether tiles of M rows and K inputs are pipelined.</summary>
    public bool Pipelines(int m, int k) => k <= PipelinedInputs && m >= 2 * PipelinedRows;
}

/// <summary>What generated code is made for; equal keys share code.</summary>
/// <param name="Kernel">Whose code it is.</param>
/// <param name="Rows">Rows of a tile, up to those of the kernel.</param>
/// <param name="Vectors">Vectors of outputs, up to those of a panel.</param>
/// <param name="Masked">Whether the last vector is stored in part.</param>
/// <param name="Inputs">K.</param>
/// <param name="Epilogue">What becomes of the sums; null when they are stored as they are, in int32.</param>
/// <param name="Pipelined">Whether the epilogue of a tile overlaps with the sums of the next.</param>
readonly record struct DotProductKey(KernelName Kernel, int Rows, int Vectors, bool Masked, int Inputs, Epilogue? Epilogue, bool Pipelined = false)
{
    public override string ToString() => $"{Kernel}_{Rows}x{Vectors}{(Masked ? "m" : "")}{(Pipelined ? "p" : "")}_k{Inputs}_{Epilogue?.ToString() ?? "Int32"}";
}

/// <summary>The arguments of generated code, which it advances from tile to tile. Strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct DotProductArguments
{
    /// <summary>q, the first row of the tile.</summary>
    public byte* Activations;
    public nint ActivationStride;

    /// <summary>A panel: the starts of its accumulators, then its weights.</summary>
    public byte* Panel;

    /// <summary>acc or out, the first row of the tile; elements of 4 bytes either way.</summary>
    public void* Output;
    public nint OutputStride;

    /// <summary>Tiles to compute, one below the other; at least 1. Counted down.</summary>
    public nint Tiles;

    /// <summary>One bit for each output that the last vector stores; then the same as lanes.</summary>
    public nint Mask;
    public fixed int TailLanes[8];

    /// <summary>Two vectors that wait for registers.</summary>
    public fixed float Spill[16];

    /// <summary>sx, the first row of the tile.</summary>
    public float* RowScales;

    /// <summary>sw of the panel.</summary>
    public float* ColumnScales;

    /// <summary>Of the panel.</summary>
    public float* Bias;

    /// <summary><see cref="GeluTable.Pointer"/>.</summary>
    public float* Table;

    /// <summary>Weights to be fetched into a nearer cache, and where the last ones end.</summary>
    public byte* Ahead;
    public byte* End;
}
