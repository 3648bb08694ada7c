using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>What <see cref="HeadQuantizationEmitter"/> and <see cref="RowQuadEmitter"/> read from memory; indices are in floats.</summary>
static unsafe class HeadConstants
{
    const int Lanes = 16;

    /// <summary>Vectors: the order of packed quarters; the highest bit of each byte.</summary>
    public const int OrderIndex = 0, SignsIndex = Lanes;

    /// <summary>Scalars: 127; the smallest magnitude that is not negligible; 1; 0; what a sum over a head is multiplied by to be its mean.</summary>
    public const int LevelsIndex = 2 * Lanes, NegligibleIndex = LevelsIndex + 1, OneIndex = LevelsIndex + 2, ZeroIndex = LevelsIndex + 3,
        ShareIndex = LevelsIndex + 4;

    static readonly AlignedBuffer Memory = Create();

    /// <summary>Aligned to 64 bytes.</summary>
    public static float* Pointer { get; } = (float*)Memory.Pointer;

    static AlignedBuffer Create()
    {
        var memory = new AlignedBuffer((ShareIndex + 1) * sizeof(float));
        var integers = memory.AsSpan<int>();
        integers.Slice(SignsIndex, Lanes).Fill(unchecked((int)0x80808080));
        for (var i = 0; i < Lanes; i++) integers[OrderIndex + i] = i % 4 * 4 + i / 4;
        ReadOnlySpan<float> scalars = [127, Negligible.Below, 1, 0, 1f / (4 * Lanes)];
        scalars.CopyTo(memory.AsSpan<float>()[LevelsIndex..]);
        return memory;
    }
}
