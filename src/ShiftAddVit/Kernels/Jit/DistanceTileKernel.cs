using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>AdderNet's L1 distances by generated VPSADBW code, tiles of 6 rows x 32 outputs.</summary>
sealed unsafe class DistanceTileKernel() : DistanceKernel(
    new(Operation.MatDistance, NumberType.U8, NumberType.S8, NumberType.I32, Mr, Nr, KernelIsa.Avx512),
    "absolute differences of bytes, added 8 at a time (VPSADBW)",
    new(WeightFormat.S8, Nr, Group))
{
    const int Mr = DistanceTileEmitter.MaxRows;
    const int Nr = Lanes * DistanceTileEmitter.MaxVectors;
    const int Lanes = DistanceTileEmitter.OutputsOfVector;
    const int Group = DistanceTileEmitter.GroupInputs;

    public override int ScratchBytes(int k) => Mr * RowBytes(k);

    /// <summary>K in whole groups.</summary>
    static int RowBytes(int k) => (k + Group - 1) / Group * Group;

    public override void Run(in IntegerOperands o)
    {
        var functions = new TileFunctions(new(TileKind.Distance, Mr, DistanceTileEmitter.MaxVectors, o.K), Lanes, o.M, o.N);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        for (var m = 0; m < o.M; m += Mr)
        {
            var height = int.Min(Mr, o.M - m);
            for (var row = 0; row < height; row++) Pad(o.Activations + (m + row) * o.ActivationStride, o.K, o.Scratch + row * RowBytes(o.K));
            for (var n = 0; n < o.N; n += Nr)
            {
                var arguments = new TileArguments
                {
                    Activations = o.Scratch, ActivationStride = RowBytes(o.K), Panel = o.Weights + n / Nr * panelBytes,
                    Output = (byte*)((int*)o.Output + m * o.OutputStride + n), OutputStride = o.OutputStride * sizeof(int),
                };
                functions.Run(ref arguments, height, int.Min(Nr, o.N - n));
            }
        }
    }

    /// <summary>Inputs beyond the last are 0, as are their weights.</summary>
    static void Pad(byte* q, int k, byte* row)
    {
        new ReadOnlySpan<byte>(q, k).CopyTo(new(row, k));
        new Span<byte>(row + k, RowBytes(k) - k).Fill(128);
    }
}
