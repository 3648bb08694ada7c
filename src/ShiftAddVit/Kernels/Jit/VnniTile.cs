using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>What generated code is made for; equal keys share code.</summary>
/// <param name="Rows">Rows of a tile, 1..6.</param>
/// <param name="Vectors">Vectors of 16 outputs, 1..4.</param>
/// <param name="Masked">Whether the last vector is stored in part.</param>
/// <param name="Inputs">K.</param>
readonly record struct VnniTileKey(int Rows, int Vectors, bool Masked, int Inputs)
{
    public override string ToString() => $"VnniTile_{Rows}x{Vectors * 16}{(Masked ? "m" : "")}_k{Inputs}";
}

/// <summary>The arguments of generated code, which it advances from tile to tile. Strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct VnniTileArguments
{
    /// <summary>q, the first row of the tile.</summary>
    public byte* Activations;
    public nint ActivationStride;

    /// <summary>A panel: the starts of its 64 accumulators, then its weights.</summary>
    public byte* Panel;

    /// <summary>acc, the first row of the tile.</summary>
    public int* Output;
    public nint OutputStride;

    /// <summary>Tiles to compute, one below the other; at least 1. Counted down.</summary>
    public nint Tiles;

    /// <summary>One bit for each output that the last vector stores.</summary>
    public nint Mask;
}
