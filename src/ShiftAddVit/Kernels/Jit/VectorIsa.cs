using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>How vector instructions are encoded for one register width, as data: emitters are written once for all of them.</summary>
sealed record VectorIsa
{
    /// <summary>What code in these instructions runs on.</summary>
    public required KernelIsa Name { get; init; }

    /// <summary>The first vector register; the others follow.</summary>
    public required Register First { get; init; }

    /// <summary>The lower half of the first.</summary>
    public required Register FirstHalf { get; init; }

    /// <summary>How many registers there are.</summary>
    public required int Registers { get; init; }

    /// <summary>Bytes of a register.</summary>
    public required int Bytes { get; init; }

    /// <summary>Lanes of 32 bits.</summary>
    public int Lanes => Bytes / sizeof(int);

    /// <summary>Whether any instruction takes a mask of bits. Otherwise moves of 32-bit lanes have one, in the sign bits of a vector.</summary>
    public required bool HasMaskRegisters { get; init; }

    public required Code Load { get; init; }
    public required Code Store { get; init; }
    /// <summary>Stores the lower or the upper half of a register; INVALID where one store is as good.</summary>
    public required Code HalfStore { get; init; }
    public required Code Copy { get; init; }

    /// <summary>32 bits from memory, or the lowest lane of an xmm register, to every lane.</summary>
    public required Code Broadcast { get; init; }

    /// <summary>acc + SUM of four products of an unsigned and a signed byte; INVALID where there is none.</summary>
    public required Code DotProduct { get; init; }

    /// <summary>Exclusive or: of a register with itself 0.</summary>
    public required Code Clear { get; init; }

    public required Code ToFloat { get; init; }
    public required Code Multiply { get; init; }
    public required Code Add { get; init; }
    public required Code Subtract { get; init; }
    public required Code And { get; init; }
    public required Code Min { get; init; }
    public required Code Max { get; init; }

    /// <summary>The larger of two magnitudes; INVALID where that takes more than one instruction.</summary>
    public required Code LargerMagnitude { get; init; }

    /// <summary>a = a * b + c.</summary>
    public required Code MultiplyAdd { get; init; }

    /// <summary>The upper or the lower half of a register to half a one.</summary>
    public required Code Half { get; init; }

    /// <summary>A register whose upper half is replaced.</summary>
    public required Code JoinHalves { get; init; }

    public required Code BroadcastDouble { get; init; }

    /// <summary>Half a register of int32 to doubles.</summary>
    public required Code ToDouble { get; init; }

    /// <summary>a = b * c + a, in doubles.</summary>
    public required Code MultiplyAddDouble { get; init; }

    /// <summary>Doubles to half a register of floats.</summary>
    public required Code DoubleToFloat { get; init; }

    public static VectorIsa Avx512Vnni { get; } = new()
    {
        Name = KernelIsa.Avx512Vnni,
        First = Register.ZMM0,
        FirstHalf = Register.YMM0,
        Registers = 32,
        Bytes = 64,
        HasMaskRegisters = true,
        Load = Code.EVEX_Vmovdqu32_zmm_k1z_zmmm512,
        Store = Code.EVEX_Vmovdqu32_zmmm512_k1z_zmm,
        HalfStore = Code.EVEX_Vextracti64x4_ymmm256_k1z_zmm_imm8,
        Copy = Code.EVEX_Vmovdqa32_zmm_k1z_zmmm512,
        Broadcast = Code.EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
        DotProduct = Code.EVEX_Vpdpbusd_zmm_k1z_zmm_zmmm512b32,
        Clear = Code.EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32,
        ToFloat = Code.EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er,
        Multiply = Code.EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
        Add = Code.EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
        Subtract = Code.EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
        And = Code.EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32,
        Min = Code.EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae,
        Max = Code.EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae,
        LargerMagnitude = Code.EVEX_Vrangeps_zmm_k1z_zmm_zmmm512b32_imm8_sae,
        MultiplyAdd = Code.EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er,
        Half = Code.EVEX_Vextracti64x4_ymmm256_k1z_zmm_imm8,
        JoinHalves = Code.EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8,
        BroadcastDouble = Code.EVEX_Vbroadcastsd_zmm_k1z_xmmm64,
        ToDouble = Code.EVEX_Vcvtdq2pd_zmm_k1z_ymmm256b32_er,
        MultiplyAddDouble = Code.EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er,
        DoubleToFloat = Code.EVEX_Vcvtpd2ps_ymm_k1z_zmmm512b64_er,
    };

    public static VectorIsa Avx2 { get; } = new()
    {
        Name = KernelIsa.Avx2,
        First = Register.YMM0,
        FirstHalf = Register.XMM0,
        Registers = 16,
        Bytes = 32,
        HasMaskRegisters = false,
        Load = Code.VEX_Vmovdqu_ymm_ymmm256,
        Store = Code.VEX_Vmovdqu_ymmm256_ymm,
        HalfStore = Code.INVALID,
        Copy = Code.VEX_Vmovdqa_ymm_ymmm256,
        Broadcast = Code.VEX_Vpbroadcastd_ymm_xmmm32,
        DotProduct = Code.INVALID,
        Clear = Code.VEX_Vpxor_ymm_ymm_ymmm256,
        ToFloat = Code.VEX_Vcvtdq2ps_ymm_ymmm256,
        Multiply = Code.VEX_Vmulps_ymm_ymm_ymmm256,
        Add = Code.VEX_Vaddps_ymm_ymm_ymmm256,
        Subtract = Code.VEX_Vsubps_ymm_ymm_ymmm256,
        And = Code.VEX_Vpand_ymm_ymm_ymmm256,
        Min = Code.VEX_Vminps_ymm_ymm_ymmm256,
        Max = Code.VEX_Vmaxps_ymm_ymm_ymmm256,
        LargerMagnitude = Code.INVALID,
        MultiplyAdd = Code.VEX_Vfmadd213ps_ymm_ymm_ymmm256,
        Half = Code.VEX_Vextracti128_xmmm128_ymm_imm8,
        JoinHalves = Code.VEX_Vinserti128_ymm_ymm_xmmm128_imm8,
        BroadcastDouble = Code.VEX_Vbroadcastsd_ymm_m64,
        ToDouble = Code.VEX_Vcvtdq2pd_ymm_xmmm128,
        MultiplyAddDouble = Code.VEX_Vfmadd231pd_ymm_ymm_ymmm256,
        DoubleToFloat = Code.VEX_Vcvtpd2ps_xmm_ymmm256,
    };

    public static VectorIsa AvxVnni { get; } = Avx2 with { Name = KernelIsa.AvxVnni, DotProduct = Code.VEX_Vpdpbusd_ymm_ymm_ymmm256 };
}
