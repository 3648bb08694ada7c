using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Instructions whose rate bounds the kernels of a kind.</summary>
enum PeakInstruction
{
    /// <summary>16 fused multiply-adds in float32.</summary>
    Fma,

    /// <summary>64 byte products, added by fours.</summary>
    ByteDotProduct,
}

/// <summary>
/// Generated code that does nothing but one 512-bit instruction, on registers alone, with as many independent results as hide its latency: the
/// highest rate that any kernel can reach on this machine at this moment.
/// </summary>
static unsafe class PeakLoop
{
    const int Results = 24, Rounds = 1024;

    static readonly CodeCache<PeakInstruction> Code = new("Peak", Emit);

    public static bool CanRun(PeakInstruction instruction) => Operations(instruction) > 0 && ExecutableMemory.Refusal is null
        && (instruction == PeakInstruction.Fma ? KernelIsa.Avx512 : KernelIsa.Avx512Vnni).IsAccelerated;

    /// <summary>Multiply-adds of one <see cref="Run"/>.</summary>
    public static long Operations(PeakInstruction instruction) => (long)Results * Rounds * (instruction == PeakInstruction.Fma ? 16 : 64);

    public static void Run(PeakInstruction instruction) => ((delegate* unmanaged<nint, void>)Code.Get(instruction))(0);

    static byte[] Emit(PeakInstruction instruction)
    {
        var code = new Assembler(64) { PreferVex = false };
        return CallingConvention.Function(code, () => Emit(code, instruction));
    }

    static void Emit(Assembler code, PeakInstruction instruction)
    {
        AssemblerRegisterZMM[] results =
        [
            zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15, zmm16, zmm17, zmm18, zmm19,
            zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
        ];
        foreach (var register in (AssemblerRegisterZMM[])[zmm0, zmm1, .. results]) code.vpxord(register, register, register);
        var loop = code.CreateLabel();
        code.mov(ecx, Rounds);
        code.Label(ref loop);
        foreach (var result in results)
            if (instruction == PeakInstruction.Fma) code.vfmadd231ps(result, zmm0, zmm1);
            else code.vpdpbusd(result, zmm0, zmm1);
        code.dec(ecx);
        code.jne(loop);
    }
}
