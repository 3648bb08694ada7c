using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes the x86-64 code that multiplies columns of tiles by one panel of weights each: the sums of a tile, then its epilogue; or, pipelined,
/// the sums of a tile among the epilogue of the tile before, in two sets of accumulators. An epilogue uses units that sums leave idle, but a
/// processor does not look far enough ahead to find them on its own.
/// Vector registers: accumulators from the last down, below them what sums need, the epilogue's from 0 up.
/// </summary>
sealed class DotProductEmitter(DotProductKey key, DotProductTile tile)
{
    readonly Assembler _code = new(64);

    public byte[] Emit()
    {
        CallingConvention.Enter(_code);
        LoadConstants();
        if (key.Pipelined) EmitPipelined();
        else EmitStraight();
        _code.vzeroupper();
        CallingConvention.Leave(_code);
        using var code = new MemoryStream();
        _code.Assemble(new StreamCodeWriter(code), 0);
        return code.ToArray();
    }

    public static VectorAssembler Vectors(DotProductTile tile, Assembler code) =>
        new(tile.Isa, code, VectorAssembler.At(rdi, Offset(nameof(DotProductArguments.TailLanes))));

    /// <summary>A field of the arguments, 8 bytes.</summary>
    public static AssemblerMemoryOperand Argument(string field) => __qword_ptr[rdi + Offset(field)];

    /// <summary>Copies an argument to another through rax.</summary>
    public static void Copy(Assembler code, string from, string to)
    {
        code.mov(rax, Argument(from));
        code.mov(Argument(to), rax);
    }

    /// <summary>Ends a jump where another label may follow: a label needs an instruction of its own.</summary>
    public static void Land(Assembler code, ref Label label)
    {
        code.Label(ref label);
        code.nop();
    }

    /// <summary>Room for a vector of 8 lanes.</summary>
    public static MemoryOperand Spill(int slot) =>
        VectorAssembler.At(rdi, Offset(nameof(DotProductArguments.Spill)) + slot * 8 * sizeof(float));

    public static MemoryOperand HighWeight { get; } = VectorAssembler.At(rdi, Offset(nameof(DotProductArguments.HighWeight)));

    static int Offset(string field) => (int)Marshal.OffsetOf<DotProductArguments>(field);

    void LoadConstants()
    {
        _code.mov(r10, Argument(nameof(DotProductArguments.ActivationStride)));
        if (!key.Masked || !tile.Isa.HasMaskRegisters) return;
        _code.mov(rax, Argument(nameof(DotProductArguments.Mask)));
        _code.kmovw(k1, eax);
    }

    void EmitStraight()
    {
        var next = _code.CreateLabel();
        _code.Label(ref next);
        WholeSums();
        Finish(0);
        _code.dec(Argument(nameof(DotProductArguments.AllTiles)));
        _code.jne(next);
    }

    /// <summary>Two tiles a round, because the sets of accumulators take turns.</summary>
    void EmitPipelined()
    {
        var (round, lastIsFirst, lastIsSecond, end) = (_code.CreateLabel(), _code.CreateLabel(), _code.CreateLabel(), _code.CreateLabel());
        WholeSums();
        _code.Label(ref round);
        _code.dec(Argument(nameof(DotProductArguments.AllTiles)));
        _code.je(lastIsFirst);
        Overlap(sums: 1, finish: 0);
        _code.dec(Argument(nameof(DotProductArguments.AllTiles)));
        _code.je(lastIsSecond);
        Overlap(sums: 0, finish: 1);
        _code.jmp(round);
        _code.Label(ref lastIsFirst);
        Finish(0);
        _code.jmp(end);
        _code.Label(ref lastIsSecond);
        Finish(1);
        _code.Label(ref end);
    }

    int FirstAccumulator(int set) => tile.Isa.Registers - (set + 1) * key.Rows * key.SumVectors(tile);

    TileProductEmitter Sums(Assembler code, int set, bool overlaps) => new(key, tile, code, FirstAccumulator(set), overlaps);

    void WholeSums()
    {
        var sums = Sums(_code, 0, overlaps: false);
        sums.Begin();
        sums.Complete();
    }

    TileEpilogueEmitter EpilogueOf(Assembler code, int set) => new(key, tile, code, Vectors(tile, code), FirstAccumulator(set));

    void Finish(int set)
    {
        var epilogue = EpilogueOf(_code, set);
        epilogue.Emit();
        epilogue.Advance();
    }

    /// <summary>An epilogue among the beginning of the next sums: of two independent runs of instructions, the shorter is spread in the longer.</summary>
    void Overlap(int sums, int finish)
    {
        var (first, second) = (new Assembler(64), new Assembler(64));
        Sums(first, sums, overlaps: true).Begin();
        EpilogueOf(second, finish).Emit();
        var (longer, shorter) = first.Instructions.Count >= second.Instructions.Count ? (first, second) : (second, first);
        Spread(longer.Instructions, shorter.Instructions);
        Sums(_code, sums, overlaps: true).Complete();
        EpilogueOf(_code, finish).Advance();
    }

    void Spread(IReadOnlyList<Instruction> longer, IReadOnlyList<Instruction> shorter)
    {
        var done = 0;
        for (var i = 0; i < longer.Count; i++)
        {
            _code.AddInstruction(longer[i]);
            for (var due = (i + 1) * shorter.Count / longer.Count; done < due; done++) _code.AddInstruction(shorter[done]);
        }
    }
}
