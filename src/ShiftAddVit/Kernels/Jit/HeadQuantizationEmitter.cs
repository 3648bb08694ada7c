using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes a row of a tile that is a head, 64 outputs in four zmm, as <see cref="RowOps.Quantize"/> would: the largest magnitude is found
/// across the lanes, the division done once. r9 points at the row of bytes; rcx and zmm0 to zmm3 are free.
/// </summary>
sealed class HeadQuantizationEmitter(Assembler code, VectorAssembler vectors)
{
    /// <summary>Whether a row of a tile has the form that is written.</summary>
    public static bool Fits(DotProductTile tile) => tile is { Isa.Name: KernelIsa.Avx512Vnni, Vectors: 4 };

    /// <summary>Quantises row <paramref name="row"/>, whose first vector of y is <paramref name="y"/>.</summary>
    public void Emit(int row, int y)
    {
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Table)));
        Magnitude(y);
        Divide();
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)));
        code.vmovss(__dword_ptr[rcx + row * sizeof(float)], xmm2);
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Table)));
        code.vbroadcastss(zmm1, xmm1);
        for (var j = 0; j < 4; j++)
        {
            vectors.Do(vectors.Isa.Multiply, y + j, y + j, 1);
            vectors.Do(Code.EVEX_Vcvtps2dq_zmm_k1z_zmmm512b32_er, y + j, y + j);
        }
        Pack(y);
    }

    /// <summary>max |y| in the lowest lane of zmm0.</summary>
    void Magnitude(int y)
    {
        vectors.LargerMagnitude(0, y, y + 1);
        vectors.LargerMagnitude(1, y + 2, y + 3);
        vectors.Do(vectors.Isa.Max, 0, 0, 1);
        vectors.Fold(Code.VEX_Vmaxps_ymm_ymm_ymmm256, Code.VEX_Vmaxps_xmm_xmm_xmmm128);
    }

    /// <summary>127 / max to xmm1 and max / 127 to xmm2; 0 and 1 where max is negligible.</summary>
    void Divide()
    {
        code.vmovss(xmm1, Scalar(HeadConstants.LevelsIndex));
        code.vdivss(xmm1, xmm1, xmm0);
        code.vdivss(xmm2, xmm0, Scalar(HeadConstants.LevelsIndex));
        code.vcmpltss(k2, xmm0, Scalar(HeadConstants.NegligibleIndex));
        LoadWhereNegligible(Register.XMM1, HeadConstants.ZeroIndex);
        LoadWhereNegligible(Register.XMM2, HeadConstants.OneIndex);
    }

    void LoadWhereNegligible(Register to, int index)
    {
        var load = Instruction.Create(Code.EVEX_Vmovss_xmm_k1z_m32, to, Constant(index));
        load.OpMask = Register.K2;
        code.AddInstruction(load);
    }

    /// <summary>Packing works in quarters of 128 bits, which are then put in order; an inverted highest bit adds 128.</summary>
    void Pack(int y)
    {
        vectors.Do(Code.EVEX_Vpackssdw_zmm_k1z_zmm_zmmm512b32, 0, y, y + 1);
        vectors.Do(Code.EVEX_Vpackssdw_zmm_k1z_zmm_zmmm512b32, 2, y + 2, y + 3);
        vectors.Do(Code.EVEX_Vpacksswb_zmm_k1z_zmm_zmmm512, 0, 0, 2);
        vectors.Load(3, Constant(HeadConstants.OrderIndex));
        vectors.Do(Code.EVEX_Vpermd_zmm_k1z_zmm_zmmm512b32, 0, 3, 0);
        vectors.Do(Code.EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, 0, 0, Constant(HeadConstants.SignsIndex));
        vectors.Store(VectorAssembler.At(r9, 0), 0);
    }

    static MemoryOperand Constant(int index) => VectorAssembler.At(Register.RCX, index * sizeof(float));

    static AssemblerMemoryOperand Scalar(int index) => __dword_ptr[rcx + index * sizeof(float)];
}
