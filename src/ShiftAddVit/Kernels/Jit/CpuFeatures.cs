using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using X86 = System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Instructions that generated code may use and that .NET has no intrinsic for, read from CPUID. Where the runtime compiles code, its own
/// checks come first: they vouch for the operating system's support of the registers and honour the runtime's switches. In native code they
/// say what that code was compiled for, which says nothing of code generated later: there the processor is asked.
/// </summary>
static unsafe class CpuFeatures
{
    const int Basic = 1, ExtendedFeatures = 7;
    const int OsXsaveBit = 27;
    const int Avx512VbmiBit = 1;
    const int Avx512Vbmi2Bit = 6;
    const int Avx512VnniBit = 11;
    const int Avx512PopcountBit = 14;
    const int AvxVnniBit = 4;

    /// <summary>AVX-512 F, DQ, BW and VL, of leaf 7's EBX.</summary>
    const uint Avx512Bits = 1 << 16 | 1 << 17 | 1 << 30 | 1u << 31;

    /// <summary>What the operating system saves of a thread: xmm, ymm, masks, the upper halves of zmm0 to 15, zmm16 to 31.</summary>
    const ulong Avx512State = 0b1110_0110;

    /// <summary>xor ecx, ecx; xgetbv; shl rdx, 32; or rax, rdx; ret: in both calling conventions a function that returns XCR0.</summary>
    static ReadOnlySpan<byte> ReadStateCode => [0x31, 0xC9, 0x0F, 0x01, 0xD0, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];

    /// <summary>512-bit registers, with operations on bytes and words and with shorter vectors.</summary>
    public static bool Avx512 { get; } = RuntimeFeature.IsDynamicCodeSupported
        ? Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported
        : ProcessorHasAvx512();

    /// <summary>VPDPBUSD on 256-bit registers without AVX-512.</summary>
    public static bool AvxVnni { get; } = RuntimeFeature.IsDynamicCodeSupported
        ? X86.AvxVnni.IsSupported
        : Avx2.IsSupported && (X86Base.CpuId(ExtendedFeatures, 1).Eax & (1 << AvxVnniBit)) != 0;

    /// <summary>VPDPBUSD on 512-bit registers.</summary>
    public static bool Avx512Vnni { get; } = Avx512 && Has(Avx512VnniBit) && !IsVbmi2SwitchedOff;

    /// <summary>Permutations of bytes on 512-bit registers.</summary>
    public static bool Avx512Vbmi { get; } =
        Avx512 && Has(Avx512VbmiBit) && (X86.Avx512Vbmi.IsSupported || !RuntimeFeature.IsDynamicCodeSupported);

    /// <summary>VPOPCNTD on 512-bit registers.</summary>
    public static bool Avx512Popcount { get; } = Avx512 && Has(Avx512PopcountBit) && !IsVbmi2SwitchedOff;

    /// <summary>
    /// The runtime's switch for VNNI and VPOPCNTD is that of VBMI2. It offers none of them where a processor lacks one, as those that have VNNI
    /// alone: so its no is a switch's only where the processor has VBMI2.
    /// </summary>
    static bool IsVbmi2SwitchedOff => RuntimeFeature.IsDynamicCodeSupported && Has(Avx512Vbmi2Bit) && !Avx512Vbmi2.IsSupported;

    /// <summary>A bit of leaf 7's ECX.</summary>
    static bool Has(int bit) => (X86Base.CpuId(ExtendedFeatures, 0).Ecx & (1 << bit)) != 0;

    /// <summary>Whether the processor has <see cref="Avx512"/> and the operating system saves its registers, whatever the runtime says.</summary>
    internal static bool ProcessorHasAvx512() =>
        Avx2.IsSupported && ((uint)X86Base.CpuId(ExtendedFeatures, 0).Ebx & Avx512Bits) == Avx512Bits
        && (X86Base.CpuId(Basic, 0).Ecx & (1 << OsXsaveBit)) != 0
        && ExecutableMemory.Refusal is null && (((delegate* unmanaged<ulong>)ExecutableMemory.Place(ReadStateCode))() & Avx512State) == Avx512State;
}
