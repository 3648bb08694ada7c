using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// What all tiles share: x86-64 code that starts accumulators, adds to them input by input, and stores them under a mask.
/// Registers: rdi arguments, r10 and r11 the strides of activations and outputs, r8, rsi, r9 and rax the rows 0, 3, 6 and 9 of activations,
/// rdx the panel, rcx the loop; k1, k2... the masks of the vectors of a row, k7 free.
/// </summary>
abstract class TileEmitter(TileKey key)
{
    public const int VectorBytes = 64;
    const int RowsPerBase = 3;

    static readonly AssemblerRegister64[] Bases = [r8, rsi, r9, rax];
    static readonly AssemblerRegisterK[] Masks = [k1, k2, k3, k4];
    static readonly AssemblerRegisterZMM[] Vectors =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];

    readonly List<(Label Label, byte[] Bytes)> _constants = [];

    protected Assembler Code { get; } = new(64) { PreferVex = false };

    protected TileKey Key { get; } = key;

    /// <summary>Outputs that a vector of the result holds.</summary>
    protected virtual int VectorOutputs => 16;

    /// <summary>Bytes that one step of the sum advances in a row of activations and in the panel.</summary>
    protected abstract (int Activations, int Panel) StepBytes { get; }

    public byte[] Emit() => CallingConvention.Function(Code, EmitTile, behind: PlaceConstants);

    /// <summary>Sets the accumulators and what stays in registers.</summary>
    protected abstract void Start();

    /// <summary>Calls <see cref="Repeat"/>.</summary>
    protected abstract void Accumulate();

    /// <summary>Stores the tile; rax points at its first output.</summary>
    protected abstract void Finish();

    protected static AssemblerRegisterZMM Vector(int index) => Vectors[index];

    /// <summary>
    /// Emits steps: unrolled in a loop, and those left over. A step is told how many lie between the pointers and it; returns what a further
    /// one would be told.
    /// </summary>
    protected int Repeat(int steps, int unroll, Action<int> step)
    {
        var rounds = steps < 2 * unroll ? 0 : steps / unroll;
        if (rounds > 0)
        {
            var loop = Code.CreateLabel();
            Code.mov(ecx, rounds);
            Code.Label(ref loop);
            for (var i = 0; i < unroll; i++) step(i);
            Advance(unroll);
            Code.dec(ecx);
            Code.jne(loop);
        }
        var rest = steps - rounds * unroll;
        for (var i = 0; i < rest; i++) step(i);
        return rest;
    }

    /// <summary>The operand at an offset into a row of activations.</summary>
    protected static AssemblerMemoryOperand Row(AssemblerMemoryOperandFactory size, int row, int offset) => (row % RowsPerBase) switch
    {
        0 => size[Bases[row / RowsPerBase] + offset],
        1 => size[Bases[row / RowsPerBase] + r10 + offset],
        _ => size[Bases[row / RowsPerBase] + r10 * 2 + offset],
    };

    /// <summary>The operand of a constant that is placed behind the code.</summary>
    protected AssemblerMemoryOperand Constant<T>(AssemblerMemoryOperandFactory size, ReadOnlySpan<T> values) where T : unmanaged
    {
        var label = Code.CreateLabel();
        _constants.Add((label, MemoryMarshal.AsBytes(values).ToArray()));
        return size[label];
    }

    /// <summary>Stores a vector of a row under its mask.</summary>
    protected void Store(int vector, AssemblerRegisterZMM value) =>
        Code.vmovdqu32(Under(vector, __zmmword_ptr[rax + vector * VectorBytes]), value);

    /// <summary>An operand under the mask of a vector, where the tile has masks.</summary>
    protected AssemblerMemoryOperand Under(int vector, AssemblerMemoryOperand target) => (Key.Masked, vector) switch
    {
        (false, _) => target,
        (_, 0) => target.k1,
        (_, 1) => target.k2,
        (_, 2) => target.k3,
        _ => target.k4,
    };

    protected void NextOutputRow() => Code.add(rax, r11);

    protected static AssemblerMemoryOperand Argument(string field) => __qword_ptr[rdi + (int)Marshal.OffsetOf<TileArguments>(field)];

    void EmitTile()
    {
        LoadArguments();
        Start();
        Accumulate();
        Code.mov(rax, Argument(nameof(TileArguments.Output)));
        Finish();
    }

    void LoadArguments()
    {
        Code.mov(r11, Argument(nameof(TileArguments.OutputStride)));
        PrefetchOutputs();
        for (var vector = 0; Key.Masked && vector < Key.Vectors; vector++)
        {
            Code.mov(rax, Argument(nameof(TileArguments.Mask)));
            if (vector > 0) Code.shr(rax, (byte)(vector * VectorOutputs));
            Code.kmovw(Masks[vector], eax);
        }
        Code.mov(r8, Argument(nameof(TileArguments.Activations)));
        Code.mov(r10, Argument(nameof(TileArguments.ActivationStride)));
        Code.mov(rdx, Argument(nameof(TileArguments.Panel)));
        for (var i = 1; i * RowsPerBase < Key.Rows; i++)
        {
            Code.lea(Bases[i], __[Bases[i - 1] + r10 * 2]);
            Code.add(Bases[i], r10);
        }
    }

    /// <summary>Asks for the lines that the tile will write, so that they arrive while it is computed.</summary>
    void PrefetchOutputs()
    {
        Code.mov(rax, Argument(nameof(TileArguments.Output)));
        for (var row = 0; row < Key.Rows; row++)
        {
            for (var offset = 0; offset < Key.Vectors * VectorOutputs * sizeof(int); offset += VectorBytes) Code.prefetchw(__byte_ptr[rax + offset]);
            NextOutputRow();
        }
    }

    void Advance(int steps)
    {
        for (var i = 0; i == 0 || i * RowsPerBase < Key.Rows; i++) Code.add(Bases[i], steps * StepBytes.Activations);
        Code.add(rdx, steps * StepBytes.Panel);
    }

    void PlaceConstants()
    {
        foreach (var (label, bytes) in _constants)
        {
            var here = label;
            Code.Label(ref here);
            Code.db(bytes);
        }
    }
}
