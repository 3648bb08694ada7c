namespace ShiftAddVit.Kernels.Jit;

/// <summary>Q(KV) by generated adds under masks, tiles of 6 tokens x 64 channels.</summary>
sealed unsafe class MaskedCodesKernel() : AddCodesKernel(
    new(Operation.MatAdd, NumberType.B1, NumberType.I32, NumberType.I32, Mr, Nr, KernelIsa.Avx512, KernelSchedule.Masked),
    "adds only: each row of A under a mask of the token's code bit")
{
    const int Mr = MaskedCodesEmitter.MaxRows;
    const int Nr = Lanes * MaskedCodesEmitter.MaxVectors;
    const int Lanes = TileEmitter.VectorBytes / sizeof(int);

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    public override long ScratchBytes(int bits, int headSize) => (long)(headSize + Nr - 1) / Nr * bits * Nr * sizeof(int);

    /// <summary>A in panels of 64 channels; those beyond the last are 0.</summary>
    public override void Prepare(in AddCodesOperands o)
    {
        var panel = (int*)o.Scratch;
        for (var d = 0; d < o.HeadSize; d += Nr)
            for (var i = 0; i < o.Bits; i++, panel += Nr)
            {
                var width = int.Min(Nr, o.HeadSize - d);
                new ReadOnlySpan<int>(o.Sums + i * o.SumStride + d, width).CopyTo(new(panel, width));
                new Span<int>(panel + width, Nr - width).Clear();
            }
    }

    public override void Run(in AddCodesOperands o)
    {
        var functions = new TileFunctions(new(TileKind.MaskedCodes, Mr, MaskedCodesEmitter.MaxVectors, o.Bits), Lanes, o.Tokens, o.HeadSize);
        for (var t = 0; t < o.Tokens; t += Mr)
            for (var d = 0; d < o.HeadSize; d += Nr)
            {
                var arguments = new TileArguments
                {
                    Activations = (byte*)(o.Codes + t), ActivationStride = sizeof(ulong), Panel = o.Scratch + (nint)d * o.Bits * sizeof(int),
                    Output = (byte*)(o.Output + t * o.OutputStride + d), OutputStride = o.OutputStride * sizeof(int),
                };
                functions.Run(ref arguments, int.Min(Mr, o.Tokens - t), int.Min(Nr, o.HeadSize - d));
            }
    }
}
