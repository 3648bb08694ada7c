using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using ShiftAddVit.Kernels.Jit;

namespace ShiftAddVit.Kernels;

/// <summary>What a kernel runs on, narrowest first: a cap allows everything up to it.</summary>
public enum KernelIsa
{
    /// <summary>Scalar C# that defines the result.</summary>
    Reference,

    /// <summary>Portable C# vectors of 128 bits.</summary>
    Vector128,

    /// <summary>Arm's byte dot products on 128-bit registers.</summary>
    AdvSimdDp,

    /// <summary>Portable C# vectors of 256 bits.</summary>
    Vector256,

    /// <summary>Generated x86-64 code on 256-bit registers.</summary>
    Avx2,

    /// <summary>Generated x86-64 code with byte dot products on 256-bit registers.</summary>
    AvxVnni,

    /// <summary>Portable C# vectors of 512 bits.</summary>
    Vector512,

    /// <summary>Generated x86-64 code on 512-bit registers.</summary>
    Avx512,

    /// <summary>Generated x86-64 code with byte dot products on 512-bit registers.</summary>
    Avx512Vnni,
}

/// <summary>What this machine has.</summary>
static class KernelIsaSupport
{
    extension(KernelIsa isa)
    {
        /// <summary>Whether row operations are written for it: portable vectors, and the scalar form.</summary>
        public bool IsPortable => isa is KernelIsa.Reference or KernelIsa.Vector128 or KernelIsa.Vector256 or KernelIsa.Vector512;

        /// <summary>Whether its kernels are generated machine code.</summary>
        public bool IsGenerated => isa is KernelIsa.Avx2 or KernelIsa.AvxVnni or KernelIsa.Avx512 or KernelIsa.Avx512Vnni;

        /// <summary>Whether the instructions are there: for portable vectors, whether an operation is one of them.</summary>
        public bool IsAccelerated => isa switch
        {
            KernelIsa.Avx512Vnni => CpuFeatures.Avx512Vnni,
            KernelIsa.Avx512 => CpuFeatures.Avx512,
            KernelIsa.AvxVnni => CpuFeatures.AvxVnni,
            KernelIsa.Avx2 => Avx2.IsSupported && Fma.IsSupported,
            KernelIsa.AdvSimdDp => Dp.IsSupported,
            KernelIsa.Vector512 => Vector512.IsHardwareAccelerated,
            KernelIsa.Vector256 => Vector256.IsHardwareAccelerated,
            KernelIsa.Vector128 => Vector128.IsHardwareAccelerated,
            _ => true,
        };
    }
}
