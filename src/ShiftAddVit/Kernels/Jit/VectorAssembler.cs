using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes vector instructions on registers by number. A tail is the first lanes of a vector, those whose bits k1 holds: the others are
/// neither read nor written in memory.
/// </summary>
sealed class VectorAssembler(VectorIsa isa, Assembler code)
{
    const Register TailMask = Register.K1;

    public VectorIsa Isa { get; } = isa;

    public static MemoryOperand At(Register start, int offset) => new(start, offset);

    public void Load(int to, MemoryOperand from, bool tail = false)
    {
        var instruction = Instruction.Create(Isa.Load, Vector(to), from);
        if (tail) (instruction.OpMask, instruction.ZeroingMasking) = (TailMask, true);
        code.AddInstruction(instruction);
    }

    public void Store(MemoryOperand to, int from, bool tail = false)
    {
        var instruction = Instruction.Create(Isa.Store, to, Vector(from));
        if (tail) instruction.OpMask = TailMask;
        code.AddInstruction(instruction);
    }

    public void Copy(int to, int from) => code.AddInstruction(Instruction.Create(Isa.Copy, Vector(to), Vector(from)));

    /// <summary>32 bits of memory in every lane.</summary>
    public void Broadcast(int to, MemoryOperand from) => code.AddInstruction(Instruction.Create(Isa.Broadcast, Vector(to), from));

    /// <summary>A general register in every lane.</summary>
    public void Broadcast(int to, AssemblerRegister32 from)
    {
        code.vmovd(new AssemblerRegisterXMM(Register.XMM0 + to), from);
        code.AddInstruction(Instruction.Create(Isa.BroadcastLowest, Vector(to), Register.XMM0 + to));
    }

    public void Convert(int to, int from) => code.AddInstruction(Instruction.Create(Isa.ToFloat, Vector(to), Vector(from)));

    /// <summary>An instruction of three vectors, the first of which it writes.</summary>
    public void Do(Code operation, int to, int left, int right) =>
        code.AddInstruction(Instruction.Create(operation, Vector(to), Vector(left), Vector(right)));

    /// <summary>The same with 32 bits of memory as every lane of the last.</summary>
    public void DoBroadcast(Code operation, int to, int left, MemoryOperand right) =>
        code.AddInstruction(Instruction.Create(operation, Vector(to), Vector(left),
            new MemoryOperand(right.Base, right.Index, right.Scale, right.Displacement, right.DisplSize, isBroadcast: true, Register.None)));

    Register Vector(int number) => Isa.First + number;
}
