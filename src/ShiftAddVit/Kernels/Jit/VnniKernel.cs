using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// U8 activations times signed bytes by generated VPDPBUSD code, tiles of 6 rows x 64 outputs. Serves every weight format: shift weights
/// are integers up to 127 and are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class VnniKernel(Operation op, NumberType weights) : IntegerKernel(
    new(op, NumberType.U8, weights, NumberType.I32, VnniTileEmitter.MaxRows, Nr, KernelIsa.Avx512Vnni),
    "weights decoded to signed bytes when packed; byte dot products (VPDPBUSD)",
    new(WeightFormat.S8, Nr, VnniTileEmitter.GroupInputs, accumulatorStarts: true))
{
    const int Mr = VnniTileEmitter.MaxRows;
    const int Nr = VnniTileEmitter.Lanes * VnniTileEmitter.MaxVectors;

    static readonly CodeCache<VnniTileKey> Code = new(key => new VnniTileEmitter(key).Emit());

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    public override void Run(in IntegerOperands o)
    {
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        var (tiles, rest) = Math.DivRem(o.M, Mr);
        for (var n = 0; n < o.N; n += Nr)
        {
            var width = int.Min(Nr, o.N - n);
            var (vectors, tail) = ((width + VnniTileEmitter.Lanes - 1) / VnniTileEmitter.Lanes, width % VnniTileEmitter.Lanes);
            var arguments = new VnniTileArguments
            {
                Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights + n / Nr * panelBytes,
                Output = o.Output + n, OutputStride = o.OutputStride * sizeof(int), Tiles = tiles, Mask = (1 << tail) - 1,
            };
            var key = new VnniTileKey(Mr, vectors, tail != 0, o.K);
            if (tiles > 0) Call(key, &arguments);
            arguments.Tiles = 1;
            if (rest > 0) Call(key with { Rows = rest }, &arguments);
        }
    }

    static void Call(VnniTileKey key, VnniTileArguments* arguments) => ((delegate* unmanaged<VnniTileArguments*, void>)Code.Get(key))(arguments);
}
