using ShiftAddVit.Packing;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Dot products of one-bit codes by generated VPOPCNTD code, tiles of 12 rows x 32 outputs; short codes row by row.</summary>
sealed unsafe class PopcountKernel() : BitKernel(
    new(Operation.MatMul, NumberType.B1, NumberType.B1, NumberType.I32, Mr, Nr, KernelIsa.Avx512),
    "bits that differ, counted 32 at a time (VPOPCNTD)",
    PackFormat.OneBit(Nr))
{
    const int Mr = PopcountTileEmitter.MaxRows;
    const int Nr = Lanes * PopcountTileEmitter.MaxVectors;
    const int Lanes = TileEmitter.VectorBytes / sizeof(int);

    /// <summary>Outputs of short codes that are complete before others are begun: they stay in the first cache, unless rows are long.</summary>
    const int BlockBytes = 32 * 1024;

    public override string? Missing => base.Missing ?? (CpuFeatures.Avx512Popcount ? null : "this CPU has no VPOPCNTD");

    public override void Run(in BitOperands o)
    {
        if (o.K <= PopcountRowsEmitter.MaxBits) RunRows(o);
        else RunTiles(o);
    }

    void RunRows(in BitOperands o)
    {
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        var block = int.Max(BlockBytes / sizeof(int) / int.Max(o.N, 1), Mr);
        for (var m = 0; m < o.M; m += block)
            for (var n = 0; n < o.N; n += Nr)
            {
                var width = int.Min(Nr, o.N - n);
                var arguments = Arguments(o, m, n, panelBytes);
                (arguments.Tiles, arguments.Mask) = (int.Min(block, o.M - m), TileArguments.First(width));
                var key = new TileKey(TileKind.PopcountRows, 1, (width + Lanes - 1) / Lanes, o.K, Masked: width % Lanes != 0);
                ((delegate* unmanaged<TileArguments*, void>)key.Function)(&arguments);
            }
    }

    void RunTiles(in BitOperands o)
    {
        var functions = new TileFunctions(new(TileKind.Popcount, Mr, PopcountTileEmitter.MaxVectors, o.K), Lanes, o.M, o.N);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        for (var m = 0; m < o.M; m += Mr)
            for (var n = 0; n < o.N; n += Nr)
            {
                var arguments = Arguments(o, m, n, panelBytes);
                functions.Run(ref arguments, int.Min(Mr, o.M - m), int.Min(Nr, o.N - n));
            }
    }

    static TileArguments Arguments(in BitOperands o, int m, int n, nint panelBytes) => new()
    {
        Activations = (byte*)(o.Activations + m * o.ActivationStride), ActivationStride = o.ActivationStride * sizeof(uint),
        Panel = (byte*)o.Weights + n / Nr * panelBytes,
        Output = (byte*)(o.Output + m * o.OutputStride + n), OutputStride = o.OutputStride * sizeof(int),
    };
}
