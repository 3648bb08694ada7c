using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes vector instructions on registers by number. A tail is the first lanes of a vector: the others are neither read nor written in
/// memory. Their mask is k1, or lies in memory as lanes.
/// </summary>
sealed class VectorAssembler(VectorIsa isa, Assembler code, MemoryOperand tailLanes)
{
    public VectorIsa Isa { get; } = isa;

    public static MemoryOperand At(Register start, int offset) => new(start, offset);

    /// <summary>Loads a vector; the lanes beyond a tail become 0.</summary>
    public void Load(int to, MemoryOperand from, bool tail = false)
    {
        if (tail && !Isa.HasMaskRegisters)
        {
            Load(to, tailLanes);
            code.AddInstruction(Instruction.Create(Code.VEX_Vpmaskmovd_ymm_ymm_m256, Vector(to), Vector(to), from));
            return;
        }
        var instruction = Instruction.Create(Isa.Load, Vector(to), from);
        if (tail) (instruction.OpMask, instruction.ZeroingMasking) = (Register.K1, true);
        code.AddInstruction(instruction);
    }

    /// <summary>Stores a vector; a tail may need a register for its mask.</summary>
    public void Store(MemoryOperand to, int from, bool tail, int free)
    {
        if (tail && !Isa.HasMaskRegisters)
        {
            Load(free, tailLanes);
            code.AddInstruction(Instruction.Create(Code.VEX_Vpmaskmovd_m256_ymm_ymm, to, Vector(free), Vector(from)));
            return;
        }
        var instruction = Instruction.Create(Isa.Store, to, Vector(from));
        if (tail) instruction.OpMask = Register.K1;
        code.AddInstruction(instruction);
    }

    /// <summary>32 bits of memory in every lane.</summary>
    public void Broadcast(int to, MemoryOperand from) => code.AddInstruction(Instruction.Create(Isa.Broadcast, Vector(to), from));

    /// <summary>A general register in every lane.</summary>
    public void Broadcast(int to, Register from)
    {
        code.AddInstruction(Instruction.Create(Code.VEX_Vmovd_xmm_rm32, Register.XMM0 + to, from));
        code.AddInstruction(Instruction.Create(Isa.Broadcast, Vector(to), Register.XMM0 + to));
    }

    /// <summary>An instruction of two vectors, the first of which it writes.</summary>
    public void Do(Code operation, int to, int from) => code.AddInstruction(Instruction.Create(operation, Vector(to), Vector(from)));

    /// <summary>An instruction of three vectors, the first of which it writes.</summary>
    public void Do(Code operation, int to, int left, int right) =>
        code.AddInstruction(Instruction.Create(operation, Vector(to), Vector(left), Vector(right)));

    /// <summary>The same with the last in memory.</summary>
    public void Do(Code operation, int to, int left, MemoryOperand right) =>
        code.AddInstruction(Instruction.Create(operation, Vector(to), Vector(left), right));

    public void ShiftWordsLeft(int register, int bits) =>
        code.AddInstruction(Instruction.Create(Code.VEX_Vpsllw_ymm_ymm_imm8, Vector(register), Vector(register), bits));

    /// <summary>The lanes of a table, where the sign of the mask is set; clears the mask.</summary>
    public void Gather(int to, MemoryOperand from, int mask) =>
        code.AddInstruction(Instruction.Create(Code.VEX_Vgatherdps_ymm_vm32y_ymm, Vector(to), from, Vector(mask)));

    public Register Vector(int number) => Isa.First + number;
}
