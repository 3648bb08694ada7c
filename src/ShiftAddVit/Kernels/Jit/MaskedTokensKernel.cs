using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>K^T V that really adds: generated adds under masks that are the code bits. Tiles of 64 code bits x 6 channels.</summary>
sealed unsafe class MaskedTokensKernel() : AddTokensKernel(
    new(Operation.MatAdd, NumberType.B1, NumberType.S8, NumberType.I32, MaxBits, Nr, KernelIsa.Avx512, KernelSchedule.Masked),
    "adds only: a token's value to the 16 lanes that its code bits select",
    new(WeightFormat.S8, nr: 1, kGroup: 1))
{
    const int Nr = MaskedTokensEmitter.MaxRows;
    const int VectorBits = MaskedTokensEmitter.VectorBits;

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    protected override int BlockBytes(int tokens) => Nr * RowBytes(tokens);

    static int RowBytes(int tokens) => (int)AlignedBuffer.Align(tokens * sizeof(int));

    public override void Run(in AddTokensOperands o)
    {
        var valueBytes = (nint)Packing.PanelBytes(ValuePacking.Inputs(o.Tokens));
        for (var d = 0; d < o.HeadSize; d += Nr)
        {
            var channels = int.Min(Nr, o.HeadSize - d);
            for (var row = 0; row < channels; row++)
                Widen((sbyte*)o.Values + (d + row) * valueBytes, o.Tokens, (int*)(o.Scratch + row * RowBytes(o.Tokens)));
            var arguments = new TileArguments
            {
                Activations = o.Scratch, ActivationStride = RowBytes(o.Tokens), Panel = (byte*)o.Codes,
                Output = (byte*)(o.Output + d), OutputStride = o.OutputStride * sizeof(int), Mask = TileArguments.First(o.Bits),
            };
            var key = new TileKey(TileKind.MaskedTokens, channels, (o.Bits + VectorBits - 1) / VectorBits, o.Tokens);
            ((delegate* unmanaged<TileArguments*, void>)key.Function)(&arguments);
        }
    }

    /// <summary>One channel, token after token, as int32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Widen(sbyte* u, int tokens, int* values)
    {
        var t = 0;
        for (; t <= tokens - Vector128<sbyte>.Count; t += Vector128<sbyte>.Count)
        {
            var (low, high) = Vector128.Widen(Vector128.Load(u + t));
            Store(low, values + t);
            Store(high, values + t + Vector128<short>.Count);
        }
        for (; t < tokens; t++) values[t] = u[t];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(Vector128<short> values, int* target)
    {
        var (low, high) = Vector128.Widen(values);
        low.Store(target);
        high.Store(target + Vector128<int>.Count);
    }
}
