using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes the x86-64 code that multiplies a column of tiles by one panel of weights with VPDPBUSD: each of the 16 int32 lanes adds four
/// products of an unsigned activation and a signed weight, without saturation.
/// acc starts at -128 * SUM_k w, the panel's first row, so that SUM w * q becomes SUM w * (q - 128).
/// Registers: zmm8..31 accumulators (row-major), zmm4..7 weights, zmm0..3 activations in turn; rdi arguments, r8 and rsi rows 0 and 3 of
/// the tile, r10 and r11 the strides, rdx the panel, rcx the loop, rax free.
/// </summary>
sealed class VnniTileEmitter(VnniTileKey key)
{
    public const int Lanes = 16, MaxVectors = 4, MaxRows = 6, GroupInputs = 4;
    const int VectorBytes = 64, GroupBytes = MaxVectors * VectorBytes, Unroll = 4;

    static readonly AssemblerRegisterZMM[] Vectors =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];

    readonly Assembler _ = new(64) { PreferVex = false };
    int _activation;

    public byte[] Emit()
    {
        Prologue();
        var tile = _.CreateLabel();
        _.Label(ref tile);
        Load();
        Accumulate();
        Store();
        _.dec(__qword_ptr[rdi + Offset(nameof(VnniTileArguments.Tiles))]);
        _.jne(tile);
        Epilogue();
        using var code = new MemoryStream();
        _.Assemble(new StreamCodeWriter(code), 0);
        return code.ToArray();
    }

    static AssemblerRegisterZMM Accumulator(int row, int vector) => Vectors[8 + row * MaxVectors + vector];

    static AssemblerRegisterZMM Weights(int vector) => Vectors[4 + vector];

    AssemblerRegisterZMM NextActivation() => Vectors[_activation++ % 4];

    static int Offset(string field) => (int)Marshal.OffsetOf<VnniTileArguments>(field);

    void Prologue()
    {
        CallingConvention.Enter(_);
        _.mov(r10, __[rdi + Offset(nameof(VnniTileArguments.ActivationStride))]);
        _.mov(r11, __[rdi + Offset(nameof(VnniTileArguments.OutputStride))]);
        if (!key.Masked) return;
        _.mov(rax, __[rdi + Offset(nameof(VnniTileArguments.Mask))]);
        _.kmovw(k1, eax);
    }

    void Epilogue()
    {
        _.vzeroupper();
        CallingConvention.Leave(_);
    }

    /// <summary>Points at the tile and starts its accumulators.</summary>
    void Load()
    {
        _.mov(r8, __[rdi + Offset(nameof(VnniTileArguments.Activations))]);
        _.lea(rsi, __[r8 + r10 * 2]);
        _.add(rsi, r10);
        _.mov(rdx, __[rdi + Offset(nameof(VnniTileArguments.Panel))]);
        for (var j = 0; j < key.Vectors; j++) _.vmovdqu32(Accumulator(0, j), __zmmword_ptr[rdx + j * VectorBytes]);
        for (var i = 1; i < key.Rows; i++)
            for (var j = 0; j < key.Vectors; j++) _.vmovdqa32(Accumulator(i, j), Accumulator(0, j));
        _.add(rdx, GroupBytes);
    }

    void Accumulate()
    {
        var (groups, rest) = Math.DivRem(key.Inputs, GroupInputs);
        var rounds = groups < 2 * Unroll ? 0 : groups / Unroll;
        var straight = groups - rounds * Unroll;
        if (rounds > 0) Loop(rounds);
        Groups(straight);
        if (rest > 0) LastGroup(straight, rest);
    }

    void Loop(int count)
    {
        var loop = _.CreateLabel();
        _.mov(ecx, count);
        _.Label(ref loop);
        Groups(Unroll);
        _.add(r8, Unroll * GroupInputs);
        _.add(rsi, Unroll * GroupInputs);
        _.add(rdx, Unroll * GroupBytes);
        _.dec(ecx);
        _.jne(loop);
    }

    void Groups(int count)
    {
        for (var group = 0; group < count; group++)
        {
            LoadWeights(group);
            for (var i = 0; i < key.Rows; i++)
            {
                var activation = NextActivation();
                _.vpbroadcastd(activation, Row(__dword_ptr, i, group * GroupInputs));
                AddProducts(i, activation);
            }
        }
    }

    /// <summary>The last 1 to 3 inputs, fetched byte by byte: a row may end at the end of memory. Their missing partners have weight 0.</summary>
    void LastGroup(int group, int inputs)
    {
        LoadWeights(group);
        for (var i = 0; i < key.Rows; i++)
        {
            var first = group * GroupInputs;
            _.movzx(eax, Row(__byte_ptr, i, first + inputs - 1));
            for (var input = inputs - 2; input >= 0; input--)
            {
                _.shl(eax, 8);
                _.movzx(ecx, Row(__byte_ptr, i, first + input));
                _.or(eax, ecx);
            }
            var activation = NextActivation();
            _.vpbroadcastd(activation, eax);
            AddProducts(i, activation);
        }
    }

    void LoadWeights(int group)
    {
        for (var j = 0; j < key.Vectors; j++) _.vmovdqu32(Weights(j), __zmmword_ptr[rdx + group * GroupBytes + j * VectorBytes]);
    }

    void AddProducts(int row, AssemblerRegisterZMM activation)
    {
        for (var j = 0; j < key.Vectors; j++) _.vpdpbusd(Accumulator(row, j), activation, Weights(j));
    }

    /// <summary>Writes the tile and moves the arguments to the next.</summary>
    void Store()
    {
        _.mov(rax, __[rdi + Offset(nameof(VnniTileArguments.Output))]);
        for (var i = 0; i < key.Rows; i++)
        {
            for (var j = 0; j < key.Vectors; j++)
            {
                var target = __zmmword_ptr[rax + j * VectorBytes];
                _.vmovdqu32(key.Masked && j == key.Vectors - 1 ? target.k1 : target, Accumulator(i, j));
            }
            _.add(rax, r11);
        }
        _.mov(__[rdi + Offset(nameof(VnniTileArguments.Output))], rax);
        _.mov(rax, r10);
        _.imul(rax, rax, key.Rows);
        _.add(__[rdi + Offset(nameof(VnniTileArguments.Activations))], rax);
    }

    /// <summary>The operand at an offset into a row of activations; two bases and the stride reach all six rows.</summary>
    static AssemblerMemoryOperand Row(AssemblerMemoryOperandFactory size, int row, int offset) => row switch
    {
        0 => size[r8 + offset],
        1 => size[r8 + r10 + offset],
        2 => size[r8 + r10 * 2 + offset],
        3 => size[rsi + offset],
        4 => size[rsi + r10 + offset],
        _ => size[rsi + r10 * 2 + offset],
    };
}
