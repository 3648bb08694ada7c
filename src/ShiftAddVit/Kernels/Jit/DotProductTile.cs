using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>What generated code is made for; equal keys share code.</summary>
/// <param name="Shape">The tile of the kernel.</param>
/// <param name="Rows">Rows of a tile, up to those of the shape.</param>
/// <param name="Vectors">Vectors of outputs, up to those of the shape.</param>
/// <param name="Masked">Whether the last vector is stored in part.</param>
/// <param name="Inputs">K.</param>
/// <param name="Epilogue">What becomes of the sums; null when they are stored as they are, in int32.</param>
readonly record struct DotProductKey(TileShape Shape, int Rows, int Vectors, bool Masked, int Inputs, Epilogue? Epilogue)
{
    public override string ToString() => $"DotProduct_{Rows}x{Vectors}v{(Masked ? "m" : "")}_k{Inputs}_{Epilogue?.ToString() ?? "Int32"}";
}

/// <summary>The most rows and vectors of outputs whose accumulators a tile keeps in registers.</summary>
readonly record struct TileShape(int Rows, int Vectors);

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

    /// <summary>One bit for each output that the last vector stores.</summary>
    public nint Mask;

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
