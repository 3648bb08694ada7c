using ShiftAddVit.Packing;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Dot products of one-bit codes by generated VPOPCNTD code, tiles of 12 rows x 32 outputs.</summary>
sealed unsafe class PopcountKernel() : BitKernel(
    new(Operation.MatMul, NumberType.B1, NumberType.B1, NumberType.I32, Mr, Nr, KernelIsa.Avx512),
    "bits that differ, counted 32 at a time (VPOPCNTD)",
    PackFormat.OneBit(Nr))
{
    const int Mr = PopcountTileEmitter.MaxRows;
    const int Nr = Lanes * PopcountTileEmitter.MaxVectors;
    const int Lanes = TileEmitter.VectorBytes / sizeof(int);

    public override string? Missing => base.Missing ?? (CpuFeatures.Avx512Popcount ? null : "this CPU has no VPOPCNTD");

    public override void Run(in BitOperands o)
    {
        var functions = new TileFunctions(new(TileKind.Popcount, Mr, PopcountTileEmitter.MaxVectors, o.K), Lanes, o.M, o.N);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        for (var m = 0; m < o.M; m += Mr)
            for (var n = 0; n < o.N; n += Nr)
            {
                var arguments = new TileArguments
                {
                    Activations = (byte*)(o.Activations + m * o.ActivationStride), ActivationStride = o.ActivationStride * sizeof(uint),
                    Panel = (byte*)o.Weights + n / Nr * panelBytes,
                    Output = (byte*)(o.Output + m * o.OutputStride + n), OutputStride = o.OutputStride * sizeof(int),
                };
                functions.Run(ref arguments, int.Min(Mr, o.M - m), int.Min(Nr, o.N - n));
            }
    }
}
