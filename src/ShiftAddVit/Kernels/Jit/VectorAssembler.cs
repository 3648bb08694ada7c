using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes vector instructions on registers by number. A tail is the first lanes of a vector: the others are neither read nor written in
/// memory. Their mask is k1, or lies in memory as lanes.
/// </summary>
sealed class VectorAssembler(VectorIsa isa, Assembler code, MemoryOperand tailLanes)
{
    /// <summary>Asks VRANGEPS for the larger magnitude and to clear its sign.</summary>
    const int LargerWithoutSign = 0b10_11;

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

    public void Store(MemoryOperand to, int from) => code.AddInstruction(Instruction.Create(Isa.Store, to, Vector(from)));

    /// <summary>
    /// As <see cref="Store"/>. 512 bits are stored in halves: where the processor gives instructions to its units in turns (Zen 4), a store of a register
    /// takes one from the sums around it and two extractions do not.
    /// </summary>
    public void StoreHalves(MemoryOperand to, int from)
    {
        if (Isa.HalfStore == Code.INVALID)
        {
            Store(to, from);
            return;
        }
        code.AddInstruction(Instruction.Create(Isa.HalfStore, to, Vector(from), 0));
        code.AddInstruction(Instruction.Create(Isa.HalfStore, new MemoryOperand(to.Base, to.Displacement + Isa.Bytes / 2), Vector(from), 1));
    }

    /// <summary>Stores a tail, which may need a register for its mask.</summary>
    public void StoreTail(MemoryOperand to, int from, int free)
    {
        if (Isa.HasMaskRegisters)
        {
            var instruction = Instruction.Create(Isa.Store, to, Vector(from));
            instruction.OpMask = Register.K1;
            code.AddInstruction(instruction);
            return;
        }
        Load(free, tailLanes);
        code.AddInstruction(Instruction.Create(Code.VEX_Vpmaskmovd_m256_ymm_ymm, to, Vector(free), Vector(from)));
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

    /// <summary>The larger of two magnitudes, lane by lane.</summary>
    public void LargerMagnitude(int to, int left, int right) =>
        code.AddInstruction(Instruction.Create(Isa.LargerMagnitude, Vector(to), Vector(left), Vector(right), LargerWithoutSign));

    /// <summary>The same with the last in memory.</summary>
    public void LargerMagnitude(int to, int left, MemoryOperand right) =>
        code.AddInstruction(Instruction.Create(Isa.LargerMagnitude, Vector(to), Vector(left), right, LargerWithoutSign));

    /// <summary>Folds the 16 lanes of zmm0 by halves into its lowest; zmm1 is overwritten.</summary>
    /// <param name="halves">Joins two halves of 256 bits.</param>
    /// <param name="quarters">The same on 128 bits.</param>
    public void Fold(Code halves, Code quarters)
    {
        code.vextractf64x4(ymm1, zmm0, 1);
        code.AddInstruction(Instruction.Create(halves, Register.YMM0, Register.YMM0, Register.YMM1));
        code.vextractf128(xmm1, ymm0, 1);
        Join();
        code.vpermilps(xmm1, xmm0, 0b01_00_11_10);
        Join();
        code.vpermilps(xmm1, xmm0, 0b10_11_00_01);
        Join();

        void Join() => code.AddInstruction(Instruction.Create(quarters, Register.XMM0, Register.XMM0, Register.XMM1));
    }

    /// <summary>A shift of lanes by a constant.</summary>
    public void Shift(Code operation, int to, int from, int bits) =>
        code.AddInstruction(Instruction.Create(operation, Vector(to), Vector(from), bits));

    /// <summary>Replaces the lanes where the sign of the mask is set.</summary>
    public void Blend(int to, int other, int mask) =>
        code.AddInstruction(Instruction.Create(Code.VEX_Vblendvps_ymm_ymm_ymmm256_ymm, Vector(to), Vector(to), Vector(other), Vector(mask)));

    Register Vector(int number) => Isa.First + number;
}
