using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes <see cref="AttentionOps.Softmax"/> of groups of rows of N keys. Steps are negative and the table is read from its end: so converting
/// to integers, which makes what is too large the least integer, and packing to bytes, which saturates, end at the same entry.
/// </summary>
sealed unsafe class SoftmaxEmitter(int keys, int quads) : RowQuadEmitter(quads)
{
    /// <summary>Registers: a maximum or sum of each row; values of a block; what else a pass holds.</summary>
    const int Results = 0, Values = 4, Looked = 8, KeyScale = 8, Maxima = 9, Factors = 13, Table = 17, Order = 21, Last = 22, Ones = 23, Signs = 24;

    const int BlockBytes = Block * sizeof(float);

    const Code ToWords = Code.EVEX_Vpackssdw_zmm_k1z_zmm_zmmm512b32;

    readonly int _padded = AttentionOps.Padded(keys);

    protected override void Begin()
    {
        Writer.mov(r8, Argument(nameof(SoftmaxArguments.ScoreStride)));
        Writer.lea(r9, __[r8 + r8 * 2]);
        Writer.mov(rax, Argument(nameof(SoftmaxArguments.Constants)));
        Vectors.Load(Order, At(Register.RAX, HeadConstants.OrderIndex * sizeof(float)));
        Writer.mov(r11, Argument(nameof(SoftmaxArguments.Table)));
        for (var i = 0; i < ExponentialTable.Length / VectorBytes; i++)
            Vectors.Load(Table + i, At(Register.R11, SoftmaxConstants.TableIndex + i * VectorBytes));
        Vectors.Load(Last, At(Register.R11, SoftmaxConstants.LastIndex));
        Vectors.Load(Ones, At(Register.R11, SoftmaxConstants.OnesIndex));
        Vectors.Load(Signs, At(Register.R11, SoftmaxConstants.SignsIndex));
        Writer.mov(ecx, (1 << keys % Lanes) - 1);
        Writer.kmovw(k1, ecx);
        Writer.mov(rcx, (1L << keys % Block) - 1);
        Writer.kmovq(k3, rcx);
    }

    protected override IEnumerable<Action<int>> Passes() => [Scale, LookUp];

    protected override void Advance()
    {
        Writer.lea(rdx, __[r8 * 4]);
        if (GroupRows > Rows) Writer.add(rdx, rdx);
        Writer.add(Argument(nameof(SoftmaxArguments.Scores)), rdx);
        Writer.add(Argument(nameof(SoftmaxArguments.Factors)), GroupRows * sizeof(float));
        Writer.add(Argument(nameof(SoftmaxArguments.Reciprocals)), GroupRows * sizeof(float));
        Writer.add(Argument(nameof(SoftmaxArguments.Probabilities)), GroupRows * _padded);
        Writer.dec(Argument(nameof(SoftmaxArguments.Groups)));
    }

    /// <summary>z to the scratch, its largest to the maxima.</summary>
    void Scale(int quad)
    {
        Writer.mov(rsi, Argument(nameof(SoftmaxArguments.Scores)));
        if (quad > 0) Writer.lea(rsi, __[rsi + r8 * 4]);
        Writer.mov(rdx, Argument(nameof(SoftmaxArguments.KeyScales)));
        StartScaled(quad);
        for (var row = 0; row < Rows; row++) Vectors.Broadcast(Results + row, At(Register.R11, SoftmaxConstants.LeastIndex));
        Blocks((vectors, last) =>
        {
            for (var j = 0; j < vectors; j++) Scale(j, last && j == vectors - 1 && keys % Lanes > 0);
            Writer.add(rsi, BlockBytes);
            Writer.add(rdx, BlockBytes);
        });
        Reduce(Isa.Max, Results, At(Register.RAX, HeadConstants.OrderIndex * sizeof(float)));
        Writer.AddInstruction(Instruction.Create(Code.VEX_Vmovups_xmmm128_xmm, Maximum(quad), Xmm(Results)));
    }

    /// <summary>A vector of each row. Beyond a tail z is 0, and not among the maxima.</summary>
    void Scale(int j, bool tail)
    {
        Vectors.Load(KeyScale, At(Register.RDX, j * VectorBytes), tail);
        for (var row = 0; row < Rows; row++)
        {
            var value = Values + row;
            var convert = Instruction.Create(Isa.ToFloat, Zmm(value), Row(Register.RSI, Register.R8, Register.R9, row, j * VectorBytes));
            var max = Instruction.Create(Isa.Max, Zmm(Results + row), Zmm(Results + row), Zmm(value));
            if (tail) (convert.OpMask, convert.ZeroingMasking, max.OpMask) = (Register.K1, true, Register.K1);
            Writer.AddInstruction(convert);
            Vectors.Do(Isa.Multiply, value, value, KeyScale);
            Vectors.Store(Scaled(row, j), value);
            Writer.AddInstruction(max);
        }
    }

    void LookUp(int quad)
    {
        for (var row = 0; row < Rows; row++) Vectors.Broadcast(Maxima + row, At(Register.RDI, (int)Maximum(quad).Displacement + row * sizeof(float)));
        Writer.mov(rdx, Argument(nameof(SoftmaxArguments.Factors)));
        BroadcastRows(Factors, Register.RDX, quad * Rows * sizeof(float));
        for (var row = 0; row < Rows; row++) Vectors.Do(Code.EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, Factors + row, Factors + row, Signs);
        Writer.mov(rdx, Argument(nameof(SoftmaxArguments.Probabilities)));
        if (quad > 0) Writer.add(rdx, Rows * _padded);
        StartScaled(quad);
        Clear(Results);
        Blocks((vectors, last) =>
        {
            for (var row = 0; row < Rows; row++) LookUp(row, vectors, last);
            Writer.add(rdx, VectorBytes);
        });
        Reciprocals(quad);
    }

    /// <summary>A block of a row. What vectors are missing, any other stands for; padding is 0 in the end.</summary>
    void LookUp(int row, int vectors, bool last)
    {
        for (var j = 0; j < vectors; j++)
        {
            Vectors.Do(Isa.Subtract, Values + j, Maxima + row, Scaled(row, j));
            Vectors.Do(Isa.Multiply, Values + j, Values + j, Factors + row);
            Vectors.Do(Code.EVEX_Vcvtps2dq_zmm_k1z_zmmm512b32_er, Values + j, Values + j);
        }
        int Present(int j) => Values + Math.Min(j, vectors - 1);
        var (lower, upper) = (Values, Values + 1);
        Vectors.Do(ToWords, lower, Values, Present(1));
        if (vectors > 2) Vectors.Do(ToWords, upper, Values + 2, Present(3));
        Vectors.Do(Code.EVEX_Vpaddw_zmm_k1z_zmm_zmmm512, lower, lower, Last);
        if (vectors > 2) Vectors.Do(Code.EVEX_Vpaddw_zmm_k1z_zmm_zmmm512, upper, upper, Last);
        Vectors.Do(Code.EVEX_Vpackuswb_zmm_k1z_zmm_zmmm512, lower, lower, vectors > 2 ? upper : lower);
        Vectors.Do(Code.EVEX_Vpermd_zmm_k1z_zmm_zmmm512b32, lower, Order, lower);
        Entries(lower, masked: last);
        Vectors.Do(Isa.DotProduct, Results + row, Looked, Ones);
        Vectors.Store(At(Register.RDX, row * _padded), Looked);
    }

    /// <summary>Bits 0..6 choose among 128 entries, bit 7 between the halves of the table.</summary>
    void Entries(int index, bool masked)
    {
        Vectors.Do(Isa.Copy, Looked, index);
        Writer.AddInstruction(Instruction.Create(Code.EVEX_Vpmovb2m_kr_zmm, Register.K2, Zmm(index)));
        ChooseAmong(Looked, Table);
        ChooseAmong(index, Table + 2);
        var blend = Instruction.Create(Code.EVEX_Vpblendmb_zmm_k1z_zmm_zmmm512, Zmm(Looked), Zmm(Looked), Zmm(index));
        blend.OpMask = Register.K2;
        Writer.AddInstruction(blend);
        if (!masked) return;
        var mask = Instruction.Create(Code.EVEX_Vmovdqu8_zmm_k1z_zmmm512, Zmm(Looked), Zmm(Looked));
        (mask.OpMask, mask.ZeroingMasking) = (Register.K3, true);
        Writer.AddInstruction(mask);
    }

    void ChooseAmong(int index, int entries) =>
        Writer.AddInstruction(Instruction.Create(Code.EVEX_Vpermi2b_zmm_k1z_zmm_zmmm512, Zmm(index), Zmm(entries), Zmm(entries + 1)));

    void Reciprocals(int quad)
    {
        Reduce(Code.EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, Results, At(Register.RAX, HeadConstants.OrderIndex * sizeof(float)));
        Writer.AddInstruction(Instruction.Create(Code.VEX_Vcvtdq2ps_xmm_xmmm128, Xmm(Results), Xmm(Results)));
        Writer.AddInstruction(Instruction.Create(Code.VEX_Vbroadcastss_xmm_m32, Xmm(Values), At(Register.RAX, HeadConstants.OneIndex * sizeof(float))));
        Writer.AddInstruction(Instruction.Create(Code.VEX_Vdivps_xmm_xmm_xmmm128, Xmm(Results), Xmm(Values), Xmm(Results)));
        Writer.mov(rdx, Argument(nameof(SoftmaxArguments.Reciprocals)));
        Writer.AddInstruction(Instruction.Create(Code.VEX_Vmovups_xmmm128_xmm, At(Register.RDX, quad * Rows * sizeof(float)), Xmm(Results)));
    }

    /// <summary>Vectors of the last block, where it is not whole.</summary>
    int LastVectors => (keys % Block + Lanes - 1) / Lanes;

    /// <summary>The whole blocks in a loop, then what is left; r10 walks z.</summary>
    void Blocks(Action<int, bool> body)
    {
        if (keys >= Block)
        {
            Writer.mov(ecx, keys / Block);
            Loop(() =>
            {
                body(VectorsPerBlock, false);
                Writer.add(r10, BlockBytes);
            });
        }
        if (LastVectors > 0) body(LastVectors, true);
    }

    void StartScaled(int quad)
    {
        Writer.mov(r10, Argument(nameof(SoftmaxArguments.Scaled)));
        if (quad > 0) Writer.add(r10, Rows * _padded * sizeof(float));
    }

    MemoryOperand Scaled(int row, int j) => At(Register.R10, row * _padded * sizeof(float) + j * VectorBytes);

    static MemoryOperand Maximum(int quad) => At(Register.RDI, Offset(nameof(SoftmaxArguments.Maxima)) + quad * Rows * sizeof(float));

    static AssemblerMemoryOperand Argument(string field) => __qword_ptr[rdi + Offset(field)];

    static int Offset(string field) => (int)Marshal.OffsetOf<SoftmaxArguments>(field);
}
