using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Writes <see cref="RowOps.LayerNorm"/>, then <see cref="RowOps.Quantize"/>, of groups of rows.</summary>
sealed unsafe class NormedBlockEmitter(int quads) : RowBlockEmitter(quads)
{
    const int Gamma = 12, Beta = 13;

    protected override IEnumerable<Action<int>> Passes() => [Sum, SumSquares, Normalize, quad => Round(nameof(RowArguments.Normed), quad)];

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
            Vectors.LargerMagnitude(Results + row, Results + row, value);
        }
    }

    void DivideByLength()
    {
        Four(Code.VEX_Vbroadcastss_xmm_m32, Values, Argument(Register.RDI, nameof(RowArguments.Length)));
        Four(Code.VEX_Vdivps_xmm_xmm_xmmm128, Results, Results, Values);
    }

    void Keep(string numbers, int quad) => StoreFour(At(Register.RDI, Slot(numbers, quad)), Results);
}
