using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes a row of a tile that is a head, 64 outputs in four zmm, as <see cref="RowOps.Code"/> would: comparisons leave 16 bits each, which are
/// stored side by side as the word. r9 points at the word; rcx, k2 and zmm0 and zmm1 are free.
/// </summary>
sealed class HeadCodeEmitter(Assembler code, VectorAssembler vectors)
{
    const int Vectors = 4, GreaterThan = 0x1E;

    /// <summary>Codes row <paramref name="row"/>, whose first vector of y is <paramref name="y"/>.</summary>
    public void Emit(int row, int y, bool measures)
    {
        vectors.Do(vectors.Isa.Clear, 0, 0, 0);
        for (var j = 0; j < Vectors; j++)
        {
            code.AddInstruction(Instruction.Create(
                Code.EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, Register.K2, Register.ZMM0 + y + j, Register.ZMM0, GreaterThan));
            code.kmovw(__word_ptr[r9 + j * sizeof(ushort)], k2);
        }
        if (measures) Measure(row, y);
    }

    /// <summary>The mean magnitude: lane by lane over the vectors, then by halves.</summary>
    void Measure(int row, int y)
    {
        vectors.LargerMagnitude(0, y, y);
        for (var j = 1; j < Vectors; j++)
        {
            vectors.LargerMagnitude(1, y + j, y + j);
            vectors.Do(vectors.Isa.Add, 0, 0, 1);
        }
        vectors.Fold(Code.VEX_Vaddps_ymm_ymm_ymmm256, Code.VEX_Vaddps_xmm_xmm_xmmm128);
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.Table)));
        code.vmulss(xmm0, xmm0, __dword_ptr[rcx + HeadConstants.ShareIndex * sizeof(float)]);
        code.mov(rcx, DotProductEmitter.Argument(nameof(DotProductArguments.RowResults)));
        code.vmovss(__dword_ptr[rcx + row * sizeof(float)], xmm0);
    }
}
