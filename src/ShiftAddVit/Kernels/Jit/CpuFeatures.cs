using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Instructions that .NET has no intrinsic for, read from CPUID. The runtime's own checks come first: they vouch for the operating
/// system's support of the registers and honour the runtime's switches.
/// </summary>
static class CpuFeatures
{
    const int ExtendedFeatures = 7;
    const int Avx512VnniBit = 11;
    const int Avx512PopcountBit = 14;
    const int AvxVnniBit = 4;

    /// <summary>VPDPBUSD on 256-bit registers without AVX-512.</summary>
    public static bool AvxVnni { get; } = Avx2.IsSupported && (X86Base.CpuId(ExtendedFeatures, 1).Eax & (1 << AvxVnniBit)) != 0;

    /// <summary>VPDPBUSD on 512-bit registers.</summary>
    public static bool Avx512Vnni { get; } = Avx512BW.IsSupported && (X86Base.CpuId(ExtendedFeatures, 0).Ecx & (1 << Avx512VnniBit)) != 0;

    /// <summary>VPOPCNTD on 512-bit registers.</summary>
    public static bool Avx512Popcount { get; } =
        Avx512BW.IsSupported && (X86Base.CpuId(ExtendedFeatures, 0).Ecx & (1 << Avx512PopcountBit)) != 0;
}
