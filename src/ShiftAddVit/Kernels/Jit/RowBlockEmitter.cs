using System.Runtime.InteropServices;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes <see cref="RowOps.Quantize"/> of groups of rows. rsi walks the rows of a quad; r8 and r9 are one and three strides of them.
/// </summary>
unsafe class RowBlockEmitter(int quads, bool measured = false) : RowQuadEmitter(quads)
{
    /// <summary>Registers: a sum or maximum of each row; numbers that a reduction may change, and values of a vector; a factor of each row.</summary>
    protected const int Results = 0, Values = 4, PerRow = 8;

    const int Order = 14, Signs = 15;

    protected const int BlockBytes = Block * sizeof(float);

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

    protected override IEnumerable<Action<int>> Passes() => [measured ? Take : Measure, quad => Round(nameof(RowArguments.X), quad)];

    protected override void Advance()
    {
        Writer.lea(rdx, __[r8 * 4]);
        if (GroupRows > Rows) Writer.add(rdx, rdx);
        Writer.add(Argument(nameof(RowArguments.X)), rdx);
        Writer.add(Argument(nameof(RowArguments.Normed)), rdx);
        Writer.shr(rdx, 2);
        Writer.add(Argument(nameof(RowArguments.Quantized)), rdx);
        Writer.add(Argument(nameof(RowArguments.Scales)), GroupRows * sizeof(float));
        Writer.add(Argument(nameof(RowArguments.Maxima)), GroupRows * VectorBytes);
        Writer.dec(Argument(nameof(RowArguments.Groups)));
    }

    /// <summary>The largest magnitude of x.</summary>
    void Measure(int quad)
    {
        Start(nameof(RowArguments.X), quad);
        Clear(Results);
        Loop(() =>
        {
            foreach (var (row, place) in PlacesOfBlock(Register.RSI))
                Vectors.LargerMagnitude(Results + row, Results + row, place);
            Writer.add(rsi, BlockBytes);
        });
        Scale(quad);
    }

    /// <summary>The largest magnitudes that whoever computed the rows kept.</summary>
    void Take(int quad)
    {
        Writer.mov(rsi, Argument(nameof(RowArguments.Maxima)));
        for (var row = 0; row < Rows; row++) Vectors.Load(Results + row, At(Register.RSI, (quad * Rows + row) * VectorBytes));
        Scale(quad);
    }

    /// <summary>max / 127 to the scales, 127 / max to the factors; 1 and 0 where max is negligible.</summary>
    protected void Scale(int quad)
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

    /// <summary>q = roundHalfEven(x factor) + 128; an inverted highest bit adds 128.</summary>
    protected void Round(string rows, int quad)
    {
        BroadcastRows(PerRow, Register.RDI, Slot(nameof(RowArguments.Factors), quad));
        Writer.mov(r10, r8);
        Writer.shr(r10, 2);
        Writer.lea(r11, __[r10 + r10 * 2]);
        Writer.mov(rdx, Argument(nameof(RowArguments.Quantized)));
        if (quad > 0) Writer.add(rdx, r8);
        Start(rows, quad);
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
        PackInOrder(Values, Order);
        Vectors.Do(Code.EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, Values, Values, Signs);
        Vectors.Store(Row(Register.RDX, Register.R10, Register.R11, row, 0), Values);
    }

    /// <summary>The vectors of a block, those of the four rows in turn.</summary>
    protected static IEnumerable<(int Row, MemoryOperand Place)> PlacesOfBlock(Register start)
    {
        for (var j = 0; j < VectorsPerBlock; j++)
            for (var row = 0; row < Rows; row++)
                yield return (row, Row(start, Register.R8, Register.R9, row, j * VectorBytes));
    }

    /// <summary>rsi to the first row of a quad, rcx to the number of blocks.</summary>
    protected void Start(string rows, int quad)
    {
        Writer.mov(rsi, Argument(rows));
        if (quad > 0) Writer.lea(rsi, __[rsi + r8 * 4]);
        Writer.mov(rcx, Argument(nameof(RowArguments.Blocks)));
    }

    protected void Four(Code operation, int to, MemoryOperand from) => Writer.AddInstruction(Instruction.Create(operation, Xmm(to), from));

    protected void Four(Code operation, int to, int left, int right) => Writer.AddInstruction(Instruction.Create(operation, Xmm(to), Xmm(left), Xmm(right)));

    protected void StoreFour(MemoryOperand to, int from) => Writer.AddInstruction(Instruction.Create(Code.VEX_Vmovups_xmmm128_xmm, to, Xmm(from)));

    protected static MemoryOperand Constant(int index) => At(Register.RAX, index * sizeof(float));

    protected static int Slot(string numbers, int quad) => Offset(numbers) + quad * Rows * sizeof(float);

    protected static MemoryOperand Argument(Register start, string field) => At(start, Offset(field));

    protected static AssemblerMemoryOperand Argument(string field) => __qword_ptr[rdi + Offset(field)];

    static int Offset(string field) => (int)Marshal.OffsetOf<RowArguments>(field);
}
