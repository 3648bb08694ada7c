using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Float32 products by generated fused multiply-adds, tiles of 12 rows x 32 outputs: dense weights, or weights that are built as 2^p * s
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

    /// <summary>Rows so far apart fall on the same lines of the first cache, which keeps no twelve of them.</summary>
    const int AliasBytes = 4096;

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    public override int ScratchBytes(int k) => Mr * CopyStride(k) * sizeof(float);

    static int CopyStride(int k) => k / Lanes * Lanes + 2 * Lanes;

    public override void Run(in FloatOperands o)
    {
        var kind = Name.B == NumberType.F32 ? TileKind.Fma : TileKind.FakeShift;
        var functions = new TileFunctions(new(kind, Mr, FmaTileEmitter.MaxVectors, o.K), Lanes, o.M, o.N);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        for (var m = 0; m < o.M; m += Mr)
        {
            var height = int.Min(Mr, o.M - m);
            var rows = Rows(o, m, height, out var stride);
            for (var n = 0; n < o.N; n += Nr)
            {
                var arguments = new TileArguments
                {
                    Activations = (byte*)rows, ActivationStride = stride * sizeof(float),
                    Panel = (byte*)o.Weights + n / Nr * panelBytes,
                    Output = (byte*)(o.Output + m * o.OutputStride + n), OutputStride = o.OutputStride * sizeof(float),
                };
                functions.Run(arguments, height, int.Min(Nr, o.N - n));
            }
        }
    }

    /// <summary>The rows of a tile, copied when they would drive each other from the cache.</summary>
    static float* Rows(in FloatOperands o, int m, int height, out nint stride)
    {
        var first = o.Activations + m * o.ActivationStride;
        stride = o.ActivationStride;
        if (stride * sizeof(float) % AliasBytes != 0) return first;
        stride = CopyStride(o.K);
        var copy = (float*)o.Scratch;
        for (var row = 0; row < height; row++)
            new ReadOnlySpan<float>(first + row * o.ActivationStride, o.K).CopyTo(new(copy + row * stride, o.K));
        return copy;
    }
}
