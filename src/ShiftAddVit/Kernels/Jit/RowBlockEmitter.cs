using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes <see cref="RowOps.Quantize"/> of groups of rows, after <see cref="RowOps.LayerNorm"/> or of the rows as they are.
/// rsi walks the rows of a quad; r8 and r9 are one and three strides of them.
/// </summary>
sealed unsafe class RowBlockEmitter(bool norms, int quads) : RowQuadEmitter(quads)
{
    /// <summary>Registers: a sum or maximum of each row; numbers that a reduction may change, and values of a vector; a factor of each row.</summary>
    const int Results = 0, Values = 4, PerRow = 8, Gamma = 12, Beta = 13, Order = 14, Signs = 15;

    const int BlockBytes = Block * sizeof(float);

    /// <summary>VRANGEPS, asked for the larger magnitude and to clear its sign.</summary>
    const Code LargerMagnitude = Code.EVEX_Vrangeps_zmm_k1z_zmm_zmmm512b32_imm8_sae;
    const int WithoutSign = 0b10_11;

    /// <summary>VCMPPS.</summary>
    const int LessThan = 1;

    protected override void Begin()
    {
        Writer.mov(r8, Argument(nameof(RowArguments.Stride)));
        Writer.lea(r9, __[r8 + r8 * 2]);
        Writer.mov(rax, Argument(nameof(RowArguments.Constants)));
        Vectors.Load(Order, Constant(HeadConstants.OrderIndex));
        Vectors.Load(Signs, Constant(HeadConstants.SignsIndex));
    }

    protected override IEnumerable<Action<int>> Passes() => norms ? [Sum, SumSquares, Normalize, Round] : [Measure, Round];

    protected override void Advance()
    {
        Writer.lea(rdx, __[r8 * 4]);
        if (GroupRows > Rows) Writer.add(rdx, rdx);
        Writer.add(Argument(nameof(RowArguments.X)), rdx);
        Writer.shr(rdx, 2);
        Writer.add(Argument(nameof(RowArguments.Quantized)), rdx);
        Writer.mov(rdx, Argument(nameof(RowArguments.NormedStep)));
        Writer.add(Argument(nameof(RowArguments.Normed)), rdx);
        Writer.add(Argument(nameof(RowArguments.Scales)), GroupRows * sizeof(float));
        Writer.dec(Argument(nameof(RowArguments.Groups)));
    }

    void Sum(int quad)
    {
        Start(nameof(RowArguments.X), quad);
        Clear(Results);
        Loop(() =>
        {
            foreach (var (row, place) in PlacesOfBlock(Register.RSI)) Vectors.Do(Isa.Add, Results + row, Results + row, place);
            Writer.add(rsi, BlockBytes);
        });
        Reduce(Isa.Add, Results, Constant(HeadConstants.OrderIndex));
        DivideByLength();
        Keep(nameof(RowArguments.Means), quad);
    }

    /// <summary>Leaves x - mean where the normed rows will be.</summary>
    void SumSquares(int quad)
    {
        BroadcastRows(PerRow, Register.RDI, Slot(nameof(RowArguments.Means), quad));
        Start(nameof(RowArguments.Normed), quad);
        Writer.mov(rdx, rsi);
        Start(nameof(RowArguments.X), quad);
        Clear(Results);
        Loop(() =>
        {
            foreach (var ((row, from), (_, to)) in PlacesOfBlock(Register.RSI).Zip(PlacesOfBlock(Register.RDX)))
            {
                var value = Values + row;
                Vectors.Load(value, from);
                Vectors.Do(Isa.Subtract, value, value, PerRow + row);
                Vectors.Store(to, value);
                Vectors.Do(Isa.Multiply, value, value, value);
                Vectors.Do(Isa.Add, Results + row, Results + row, value);
            }
            Writer.add(rsi, BlockBytes);
            Writer.add(rdx, BlockBytes);
        });
        Reduce(Isa.Add, Results, Constant(HeadConstants.OrderIndex));
        DivideByLength();
        Four(Code.VEX_Vbroadcastss_xmm_m32, Values, Argument(Register.RDI, nameof(RowArguments.Epsilon)));
        Four(Code.VEX_Vaddps_xmm_xmm_xmmm128, Results, Results, Values);
        Writer.AddInstruction(Instruction.Create(Code.VEX_Vsqrtps_xmm_xmmm128, Xmm(Results), Xmm(Results)));
        Four(Code.VEX_Vbroadcastss_xmm_m32, Values, Constant(HeadConstants.OneIndex));
        Four(Code.VEX_Vdivps_xmm_xmm_xmmm128, Results, Values, Results);
        Keep(nameof(RowArguments.Factors), quad);
    }

    /// <summary>y = (x - mean) factor gamma + beta, and its largest magnitude.</summary>
    void Normalize(int quad)
    {
        BroadcastRows(PerRow, Register.RDI, Slot(nameof(RowArguments.Factors), quad));
        Writer.mov(r10, Argument(nameof(RowArguments.Gamma)));
        Writer.mov(r11, Argument(nameof(RowArguments.Beta)));
        Start(nameof(RowArguments.Normed), quad);
        Clear(Results);
        Loop(() =>
        {
            for (var j = 0; j < VectorsPerBlock; j++) NormalizeVectors(j * VectorBytes);
            Writer.add(rsi, BlockBytes);
            Writer.add(r10, BlockBytes);
            Writer.add(r11, BlockBytes);
        });
        Scale(quad);
    }

    void NormalizeVectors(int offset)
    {
        Vectors.Load(Gamma, At(Register.R10, offset));
        Vectors.Load(Beta, At(Register.R11, offset));
        for (var row = 0; row < Rows; row++)
        {
            var (value, place) = (Values + row, Row(Register.RSI, Register.R8, Register.R9, row, offset));
            Vectors.Do(Isa.Multiply, value, PerRow + row, place);
            Vectors.Do(Isa.Multiply, value, value, Gamma);
            Vectors.Do(Isa.Add, value, value, Beta);
            Vectors.Store(place, value);
            Writer.AddInstruction(Instruction.Create(LargerMagnitude, Zmm(Results + row), Zmm(Results + row), Zmm(value), WithoutSign));
        }
    }

    /// <summary>The largest magnitude of x.</summary>
    void Measure(int quad)
    {
        Start(nameof(RowArguments.X), quad);
        Clear(Results);
        Loop(() =>
        {
            foreach (var (row, place) in PlacesOfBlock(Register.RSI))
                Writer.AddInstruction(Instruction.Create(LargerMagnitude, Zmm(Results + row), Zmm(Results + row), place, WithoutSign));
            Writer.add(rsi, BlockBytes);
        });
        Scale(quad);
    }

    /// <summary>max / 127 to the scales, 127 / max to the factors; 1 and 0 where max is negligible.</summary>
    void Scale(int quad)
    {
        const int levels = Values, scales = Values + 1, factors = Values + 2;
        Reduce(Isa.Max, Results, Constant(HeadConstants.OrderIndex));
        Four(Code.VEX_Vbroadcastss_xmm_m32, levels, Constant(HeadConstants.NegligibleIndex));
        Writer.AddInstruction(Instruction.Create(Code.EVEX_Vcmpps_kr_k1_xmm_xmmm128b32_imm8, Register.K2, Xmm(Results), Xmm(levels), LessThan));
        Four(Code.VEX_Vbroadcastss_xmm_m32, levels, Constant(HeadConstants.LevelsIndex));
        Four(Code.VEX_Vdivps_xmm_xmm_xmmm128, scales, Results, levels);
        Four(Code.VEX_Vdivps_xmm_xmm_xmmm128, factors, levels, Results);
        BroadcastWhereNegligible(scales, HeadConstants.OneIndex);
        BroadcastWhereNegligible(factors, HeadConstants.ZeroIndex);
        Writer.mov(rdx, Argument(nameof(RowArguments.Scales)));
        StoreFour(At(Register.RDX, quad * Rows * sizeof(float)), scales);
        StoreFour(At(Register.RDI, Slot(nameof(RowArguments.Factors), quad)), factors);
    }

    void BroadcastWhereNegligible(int to, int index)
    {
        var broadcast = Instruction.Create(Code.EVEX_Vbroadcastss_xmm_k1z_xmmm32, Xmm(to), Constant(index));
        broadcast.OpMask = Register.K2;
        Writer.AddInstruction(broadcast);
    }

    /// <summary>q = roundHalfEven(y factor) + 128; an inverted highest bit adds 128.</summary>
    void Round(int quad)
    {
        BroadcastRows(PerRow, Register.RDI, Slot(nameof(RowArguments.Factors), quad));
        Writer.mov(r10, r8);
        Writer.shr(r10, 2);
        Writer.lea(r11, __[r10 + r10 * 2]);
        Writer.mov(rdx, Argument(nameof(RowArguments.Quantized)));
        if (quad > 0) Writer.add(rdx, r8);
        Start(norms ? nameof(RowArguments.Normed) : nameof(RowArguments.X), quad);
        Loop(() =>
        {
            for (var row = 0; row < Rows; row++) RoundRow(row);
            Writer.add(rsi, BlockBytes);
            Writer.add(rdx, VectorBytes);
        });
    }

    void RoundRow(int row)
    {
        for (var j = 0; j < VectorsPerBlock; j++)
        {
            Vectors.Do(Isa.Multiply, Values + j, PerRow + row, Row(Register.RSI, Register.R8, Register.R9, row, j * VectorBytes));
            Vectors.Do(Code.EVEX_Vcvtps2dq_zmm_k1z_zmmm512b32_er, Values + j, Values + j);
        }
        PackWords(Values, Values + 1, Values + 2, Values + 3);
        PackInOrder(Values, Code.EVEX_Vpacksswb_zmm_k1z_zmm_zmmm512, Order);
        Vectors.Do(Code.EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, Values, Values, Signs);
        Vectors.Store(Row(Register.RDX, Register.R10, Register.R11, row, 0), Values);
    }

    /// <summary>The vectors of a block, those of the four rows in turn.</summary>
    static IEnumerable<(int Row, MemoryOperand Place)> PlacesOfBlock(Register start)
    {
        for (var j = 0; j < VectorsPerBlock; j++)
            for (var row = 0; row < Rows; row++)
                yield return (row, Row(start, Register.R8, Register.R9, row, j * VectorBytes));
    }

    /// <summary>rsi to the first row of a quad, rcx to the number of blocks.</summary>
    void Start(string rows, int quad)
    {
        Writer.mov(rsi, Argument(rows));
        if (quad > 0) Writer.lea(rsi, __[rsi + r8 * 4]);
        Writer.mov(rcx, Argument(nameof(RowArguments.Blocks)));
    }

    void DivideByLength()
    {
        Four(Code.VEX_Vbroadcastss_xmm_m32, Values, Argument(Register.RDI, nameof(RowArguments.Length)));
        Four(Code.VEX_Vdivps_xmm_xmm_xmmm128, Results, Results, Values);
    }

    void Keep(string numbers, int quad) => StoreFour(At(Register.RDI, Slot(numbers, quad)), Results);

    void Four(Code operation, int to, MemoryOperand from) => Writer.AddInstruction(Instruction.Create(operation, Xmm(to), from));

    void Four(Code operation, int to, int left, int right) => Writer.AddInstruction(Instruction.Create(operation, Xmm(to), Xmm(left), Xmm(right)));

    void StoreFour(MemoryOperand to, int from) => Writer.AddInstruction(Instruction.Create(Code.VEX_Vmovups_xmmm128_xmm, to, Xmm(from)));

    static MemoryOperand Constant(int index) => At(Register.RAX, index * sizeof(float));

    static int Slot(string numbers, int quad) => Offset(numbers) + quad * Rows * sizeof(float);

    static MemoryOperand Argument(Register start, string field) => At(start, Offset(field));

    static AssemblerMemoryOperand Argument(string field) => __qword_ptr[rdi + Offset(field)];

    static int Offset(string field) => (int)Marshal.OffsetOf<RowArguments>(field);
}
