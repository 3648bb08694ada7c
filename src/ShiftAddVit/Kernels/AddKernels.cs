using ShiftAddVit.Packing;

namespace ShiftAddVit.Kernels;

/// <summary>
/// K^T V of a head by adds: A[i,d] = SUM_t (bit i of code t ? u[t,d] : 0), exactly, in int32. Codes +1 and -1 (bit 1, bit 0) give
/// 2 A[i,d] - SUM_t u[t,d]. Writes I x D elements and no others.
/// </summary>
abstract class AddTokensKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    /// <summary>The most code bits of a token.</summary>
    public const int MaxBits = 64;

    /// <summary>
    /// The most tokens. |A| is at most 127 N and what <see cref="AddCodesKernel"/> makes of it at most 64 * 127 N, which stays below 2^31.
    /// </summary>
    public const int MaxTokens = 1 << 18;

    public abstract void Run(in AddTokensOperands operands);

    /// <summary>Bytes of scratch memory, aligned to 64, for N tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are more than <see cref="MaxTokens"/>.</exception>
    public sealed override int ScratchBytes(int k)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(k, MaxTokens);
        return BlockBytes(k);
    }

    protected virtual int BlockBytes(int tokens) => 0;
}

/// <summary>
/// Q(KV) of a head by adds: y[t,d] = SUM_i (bit i of code t ? A[i,d] : 0), exactly, in int32, for A of <see cref="AddTokensKernel"/> or any
/// whose column sums of magnitudes are below 2^31. Codes +1 and -1 give 2 y[t,d] - SUM_i A[i,d]. Writes N x D elements and no others.
/// </summary>
abstract class AddCodesKernel(KernelName name, string schedule) : Kernel(name, schedule, packing: null)
{
    /// <summary>Bytes of scratch memory, aligned to 64, for I code bits and D channels.</summary>
    public virtual long ScratchBytes(int bits, int headSize) => 0;

    /// <summary>Makes of A, in the scratch, what <see cref="Run"/> reads: once for an A, before any tokens.</summary>
    public virtual void Prepare(in AddCodesOperands operands) { }

    /// <summary>The outputs of some tokens; N may change from call to call.</summary>
    public abstract void Run(in AddCodesOperands operands);
}

/// <summary>Strides are in elements.</summary>
unsafe struct AddTokensOperands
{
    /// <summary>N, I and D.</summary>
    public required int Tokens, Bits, HeadSize;

    /// <summary>[N]; bits from I on are 0.</summary>
    public required ulong* Codes;

    /// <summary>u [D, <see cref="ValuePacking.Inputs"/> of N] in the kernel's order, as <see cref="ValuePacking"/> packs.</summary>
    public required byte* Values;

    /// <summary>A [I,D].</summary>
    public required int* Output;
    public required nint OutputStride;

    /// <summary><see cref="AddTokensKernel.ScratchBytes"/> bytes.</summary>
    public required byte* Scratch;
}

/// <summary>As <see cref="AddTokensOperands"/>.</summary>
unsafe struct AddCodesOperands
{
    /// <summary>N, I and D.</summary>
    public required int Tokens, Bits, HeadSize;

    /// <summary>[N]; bits from I on are 0.</summary>
    public required ulong* Codes;

    /// <summary>A [I,D].</summary>
    public required int* Sums;
    public required nint SumStride;

    /// <summary>y [N,D].</summary>
    public required int* Output;
    public required nint OutputStride;

    /// <summary><see cref="AddCodesKernel.ScratchBytes(int, int)"/> bytes.</summary>
    public required byte* Scratch;
}
