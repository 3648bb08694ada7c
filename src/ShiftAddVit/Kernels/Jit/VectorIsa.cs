using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>How the vector instructions of one instruction set are encoded, as data: emitters are written once for all of them.</summary>
sealed record VectorIsa
{
    /// <summary>The first vector register; the others follow.</summary>
    public required Register First { get; init; }

    /// <summary>How many registers there are.</summary>
    public required int Registers { get; init; }

    /// <summary>Bytes of a register.</summary>
    public required int Bytes { get; init; }

    /// <summary>Lanes of 32 bits.</summary>
    public int Lanes => Bytes / sizeof(int);

    public required Code Load { get; init; }
    public required Code Store { get; init; }
    public required Code Copy { get; init; }

    /// <summary>32 bits from memory to every lane.</summary>
    public required Code Broadcast { get; init; }

    /// <summary>The lowest lane of an xmm register to every lane.</summary>
    public required Code BroadcastLowest { get; init; }

    /// <summary>acc + SUM of four products of an unsigned and a signed byte.</summary>
    public required Code DotProduct { get; init; }

    public required Code ToFloat { get; init; }
    public required Code Multiply { get; init; }
    public required Code Add { get; init; }
    public required Code Subtract { get; init; }
    public required Code And { get; init; }
    public required Code Min { get; init; }
    public required Code Max { get; init; }

    /// <summary>a = a * b + c.</summary>
    public required Code MultiplyAdd { get; init; }

    /// <summary>Registers of 16 lanes; the lowest five bits of an index choose one of the 32 lanes of two tables.</summary>
    public required Code LookUp { get; init; }

    public static VectorIsa Avx512Vnni { get; } = new()
    {
        First = Register.ZMM0,
        Registers = 32,
        Bytes = 64,
        Load = Code.EVEX_Vmovdqu32_zmm_k1z_zmmm512,
        Store = Code.EVEX_Vmovdqu32_zmmm512_k1z_zmm,
        Copy = Code.EVEX_Vmovdqa32_zmm_k1z_zmmm512,
        Broadcast = Code.EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
        BroadcastLowest = Code.EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
        DotProduct = Code.EVEX_Vpdpbusd_zmm_k1z_zmm_zmmm512b32,
        ToFloat = Code.EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er,
        Multiply = Code.EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
        Add = Code.EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
        Subtract = Code.EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
        And = Code.EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32,
        Min = Code.EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae,
        Max = Code.EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae,
        MultiplyAdd = Code.EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er,
        LookUp = Code.EVEX_Vpermi2ps_zmm_k1z_zmm_zmmm512b32,
    };
}
