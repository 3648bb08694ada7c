using System.Runtime.Intrinsics;
using ShiftAddVit.Kernels.Jit;

namespace ShiftAddVit.Kernels;

/// <summary>What a kernel runs on, narrowest first: a cap allows everything up to it.</summary>
public enum KernelIsa
{
    /// <summary>Scalar C# that defines the result.</summary>
    Reference,

    /// <summary>Portable C# vectors of 128 bits.</summary>
    Vector128,

    /// <summary>Portable C# vectors of 256 bits.</summary>
    Vector256,

    /// <summary>Portable C# vectors of 512 bits.</summary>
    Vector512,

    /// <summary>Generated x86-64 code with byte dot products on 512-bit registers.</summary>
    Avx512Vnni,
}

/// <summary>What this machine has.</summary>
static class KernelIsaSupport
{
    extension(KernelIsa isa)
    {
        /// <summary>Whether the instructions are there: for portable vectors, whether an operation is one of them.</summary>
        public bool IsAccelerated => isa switch
        {
            KernelIsa.Avx512Vnni => CpuFeatures.Avx512Vnni,
            KernelIsa.Vector512 => Vector512.IsHardwareAccelerated,
            KernelIsa.Vector256 => Vector256.IsHardwareAccelerated,
            KernelIsa.Vector128 => Vector128.IsHardwareAccelerated,
            _ => true,
        };
    }
}
