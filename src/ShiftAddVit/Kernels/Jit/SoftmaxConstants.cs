using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>What <see cref="SoftmaxEmitter"/> reads from memory; indices are in bytes.</summary>
static unsafe class SoftmaxConstants
{
    const int VectorBytes = 64;

    /// <summary>Vectors: <see cref="ExponentialTable"/> from its end; 255 in words; 1 in bytes; the sign of a float.</summary>
    public const int TableIndex = 0, LastIndex = ExponentialTable.Length, OnesIndex = LastIndex + VectorBytes, SignsIndex = OnesIndex + VectorBytes;

    /// <summary>A scalar: less than any z.</summary>
    public const int LeastIndex = SignsIndex + VectorBytes;

    static readonly AlignedBuffer Memory = Create();

    /// <summary>Aligned to 64 bytes.</summary>
    public static byte* Pointer { get; } = Memory.Pointer;

    static AlignedBuffer Create()
    {
        var memory = new AlignedBuffer(LeastIndex + sizeof(float));
        var bytes = memory.AsSpan<byte>();
        ExponentialTable.Values.CopyTo(bytes);
        bytes[..ExponentialTable.Length].Reverse();
        memory.AsSpan<short>().Slice(LastIndex / sizeof(short), VectorBytes / sizeof(short)).Fill(ExponentialTable.Length - 1);
        bytes.Slice(OnesIndex, VectorBytes).Fill(1);
        memory.AsSpan<float>().Slice(SignsIndex / sizeof(float), VectorBytes / sizeof(float)).Fill(-0f);
        memory.AsSpan<float>()[LeastIndex / sizeof(float)] = float.NegativeInfinity;
        return memory;
    }
}
