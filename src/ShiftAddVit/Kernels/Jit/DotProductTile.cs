using System.Runtime.InteropServices;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

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

    /// <summary>Signed bytes; where products are of q and not of q - 128, sums start at -128 * SUM_k w.</summary>
    public PackFormat Packing { get; } =
        new(WeightFormat.S8, Vectors * Isa.Lanes, TileProductEmitter.GroupInputs, accumulatorStarts: Products != ProductForm.SignedPairs);

    /// <summary>Whether tiles of M rows and K inputs are pipelined.</summary>
    public bool Pipelines(int m, int k) => k <= PipelinedInputs && m >= 2 * PipelinedRows;

    /// <summary>The rows of such tiles.</summary>
    public int RowsFor(int m, int k) => Pipelines(m, k) ? PipelinedRows : Rows;
}

/// <summary>What generated code of a kernel is made for.</summary>
/// <param name="Rows">Rows of a tile, up to those of the kernel.</param>
/// <param name="Vectors">Vectors of outputs, up to those of a panel.</param>
/// <param name="Masked">Whether the last vector is stored in part.</param>
/// <param name="Inputs">K.</param>
/// <param name="Epilogue">What becomes of the sums; null when they are stored as they are, in int32.</param>
/// <param name="Pipelined">Whether the epilogue of a tile overlaps with the sums of the next.</param>
/// <param name="Measures">Whether the largest magnitudes of rows are kept.</param>
/// <param name="Split">
/// Whether of the vectors of a panel the first half are sums of high bytes, and the second sums of low bytes of the same outputs
/// (<see cref="P5.HighWeight"/>); all of them are computed.
/// </param>
readonly record struct DotProductKey(
    int Rows, int Vectors, bool Masked, int Inputs, Epilogue? Epilogue, bool Pipelined = false, bool Measures = false, bool Split = false)
{
    /// <summary>Vectors of sums of a row.</summary>
    public int SumVectors(DotProductTile tile) => Split ? tile.Vectors : Vectors;

    /// <summary>Outputs in a panel.</summary>
    public int Nr(DotProductTile tile) => Split ? tile.Nr / 2 : tile.Nr;

    /// <summary>Bytes that are kept of each row besides its outputs: a head's scale, or a vector of magnitudes.</summary>
    public int RowResultBytes =>
        Measures ? RowOps.MaximumLanes * sizeof(float) : Epilogue == Kernels.Epilogue.QuantizeHeads ? sizeof(float) : 0;

    /// <summary>All of it: keys are looked up at every call.</summary>
    long Bits => ((long)Inputs << 32) | ((long)Rows << 24) | ((long)Vectors << 16)
        | (Epilogue is { } epilogue ? ((long)epilogue + 1) << 8 : 0) | (Split ? 8L : 0) | (Measures ? 4L : 0) | (Masked ? 2L : 0) | (Pipelined ? 1L : 0);

    public bool Equals(DotProductKey other) => Bits == other.Bits;

    public override int GetHashCode() => (int)(((ulong)Bits * 0x9E3779B97F4A7C15) >> 32);

    public override string ToString() => $"{Rows}x{Vectors}{(Masked ? "m" : "")}{(Pipelined ? "p" : "")}{(Split ? "s" : "")}_k{Inputs}_{Epilogue?.ToString() ?? "Int32"}{(Measures ? "_Measured" : "")}";
}

/// <summary>The arguments of generated code, which it advances from tile to tile and from panel to panel. Strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
unsafe struct DotProductArguments
{
    /// <summary>q, the first row of the tile.</summary>
    public byte* Activations;
    public nint ActivationStride;

    /// <summary>A panel: the starts of its accumulators, then its weights.</summary>
    public byte* Panel;

    /// <summary>acc or out, the first row of the tile.</summary>
    public void* Output;
    public nint OutputStride;

    /// <summary>Tiles of a panel, one below the other, and of all panels; at least 1. All of them are counted down.</summary>
    public nint Tiles;
    public nint AllTiles;

    /// <summary>Tiles of a panel whose sums are still to be computed, or whose epilogue: that may lag behind.</summary>
    public nint SumTiles;
    public nint EpilogueTiles;

    /// <summary>Where the next panel starts again.</summary>
    public byte* FirstActivations;
    public float* FirstRowScales;

    /// <summary>From below the last row of a panel's outputs to the first row of the next.</summary>
    public nint OutputStep;

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

    /// <summary><see cref="GeluTable.Pointer"/> or <see cref="HeadConstants.Pointer"/>.</summary>
    public float* Table;

    /// <summary>
    /// Scales of quantised heads, or the largest magnitudes of rows: those of the first row of the tile; from below its last row to the first of
    /// the next panel.
    /// </summary>
    public float* RowResults;
    public nint RowResultStep;

    /// <summary>Weights to be fetched into a nearer cache, and where the last ones end.</summary>
    public byte* Ahead;
    public byte* End;

    /// <summary>What is fetched after those, once: the beginning of what is read next.</summary>
    public byte* Next;
    public byte* NextEnd;

    /// <summary><see cref="P5.HighWeight"/>.</summary>
    public double HighWeight;
}
