using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Float32 products by generated fused multiply-adds, tiles of 6 rows x 64 outputs: dense weights, or weights that are built as 2^p * s
/// in float from their codes on the way (the "fake shift" that the paper compares with).
/// </summary>
sealed unsafe class FmaKernel(Operation op, NumberType weights) : FloatKernel(
    new(op, NumberType.F32, weights, NumberType.F32, FmaTileEmitter.MaxRows, Nr, KernelIsa.Avx512),
    weights == NumberType.F32
        ? "one fused multiply-add an input, inputs ascending"
        : "2^p * s built in float from the codes, then one fused multiply-add an input",
    weights == NumberType.F32 ? new(WeightFormat.F32, Nr, kGroup: 1) : new(WeightFormat.P4, Nr, kGroup: 2))
{
    const int Mr = FmaTileEmitter.MaxRows;
    const int Nr = Lanes * FmaTileEmitter.MaxVectors;
    const int Lanes = TileEmitter.VectorBytes / sizeof(float);

    public override void Run(in FloatOperands o)
    {
        var kind = Name.B == NumberType.F32 ? TileKind.Fma : TileKind.FakeShift;
        var functions = new TileFunctions(new(kind, Mr, FmaTileEmitter.MaxVectors, o.K), Lanes, o.M, o.N);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        var arguments = new TileArguments
        {
            ActivationStride = o.ActivationStride * sizeof(float), OutputStride = o.OutputStride * sizeof(float), Panel = (byte*)o.Weights,
        };
        // A panel stays in a near cache while all rows pass by, with few inputs in the first; the other way round each tile would bring all panels.
        for (var n = 0; n < o.N; n += Nr, arguments.Panel += panelBytes)
            for (var m = 0; m < o.M; m += Mr)
            {
                arguments.Activations = (byte*)(o.Activations + m * o.ActivationStride);
                arguments.Output = (byte*)(o.Output + m * o.OutputStride + n);
                functions.Run(ref arguments, int.Min(Mr, o.M - m), int.Min(Nr, o.N - n));
            }
    }
}
