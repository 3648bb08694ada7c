using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>The arguments of code that computes one tile. Strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct TileArguments
{
    /// <summary>The first row of activations, or of what was made of them.</summary>
    public byte* Activations;
    public nint ActivationStride;

    /// <summary>The first panel of weights.</summary>
    public byte* Panel;
    public nint PanelStride;

    /// <summary>The first output.</summary>
    public byte* Output;
    public nint OutputStride;

    /// <summary>One bit for each output of a row that is stored.</summary>
    public ulong Mask;

    /// <summary>Tiles one below the other, for code that computes several; at least 1.</summary>
    public nint Tiles;

    /// <summary>The bits that select the first outputs.</summary>
    public static ulong First(int outputs) => outputs >= 64 ? ulong.MaxValue : (1UL << outputs) - 1;
}
