using ShiftAddVit.Packing;

namespace ShiftAddVit.Kernels;

/// <summary>A matrix kernel: its name, how it works and how it wants its weights.</summary>
abstract class Kernel(KernelName name, string schedule, PackFormat packing)
{
    public KernelName Name { get; } = name;

    public string Schedule { get; } = schedule;

    public PackFormat Packing { get; } = packing;

    /// <summary>What this machine lacks, or null: without it a kernel gives the same result, slowly.</summary>
    public virtual string? Missing => Name.Isa.IsAccelerated ? null : $"{Name.Isa} is not hardware accelerated here";

    /// <summary>Whether it can run here at all, if slowly: portable vectors can anywhere.</summary>
    public virtual bool CanRun => true;

    /// <summary>Bytes of scratch memory, aligned to 64, that a call with K inputs needs. One call at a time may use it.</summary>
    public virtual int ScratchBytes(int k) => 0;
}

/// <summary>
/// acc[m,n] = SUM_k w[n,k] * (q[m,k] - 128), exactly, in int32. Writes M x N elements and no others; reads neither beyond K in a row of
/// activations nor beyond the packed weights.
/// </summary>
abstract class IntegerKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    public abstract void Run(in IntegerOperands operands);
}

/// <summary>
/// c[m,n] = SUM_k a[m,k] * b[n,k] in float32: starting from 0, k ascending, each step one <see cref="float.MultiplyAddEstimate"/>. The bits
/// of an output depend on neither M, N nor the place in a tile. Writes M x N elements and no others.
/// </summary>
abstract class FloatKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    public abstract void Run(in FloatOperands operands);
}

/// <summary>
/// Strides are in elements. To compute only the outputs from n0 on, n0 a multiple of Nr, advance Weights by n0 / Nr panels and Output
/// by n0.
/// </summary>
unsafe struct IntegerOperands
{
    public required int M, N, K;

    /// <summary>q [M,K].</summary>
    public required byte* Activations;
    public required nint ActivationStride;

    /// <summary>w [N,K] in the kernel's order.</summary>
    public required byte* Weights;

    /// <summary>acc [M,N].</summary>
    public required int* Output;
    public required nint OutputStride;

    /// <summary><see cref="Kernel.ScratchBytes"/> bytes.</summary>
    public required byte* Scratch;
}

/// <summary>As <see cref="IntegerOperands"/>.</summary>
unsafe struct FloatOperands
{
    public required int M, N, K;

    /// <summary>a [M,K].</summary>
    public required float* Activations;
    public required nint ActivationStride;

    /// <summary>b [N,K] in the kernel's order.</summary>
    public required float* Weights;

    /// <summary>c [M,N].</summary>
    public required float* Output;
    public required nint OutputStride;

    /// <summary><see cref="Kernel.ScratchBytes"/> bytes.</summary>
    public required byte* Scratch;
}
