using System.Runtime.Intrinsics;

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
}

/// <summary>What this machine has.</summary>
static class KernelIsaSupport
{
    extension(KernelIsa isa)
    {
        /// <summary>Whether the runtime turns operations of this width into single instructions here.</summary>
        public bool IsAccelerated => isa switch
        {
            KernelIsa.Vector512 => Vector512.IsHardwareAccelerated,
            KernelIsa.Vector256 => Vector256.IsHardwareAccelerated,
            KernelIsa.Vector128 => Vector128.IsHardwareAccelerated,
            _ => true,
        };
    }
}
