using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes y = max(y, 0) - (slope * c + intercept), c = min(|y|, Last), where the lowest bits of c + Bias choose the line: see
/// <see cref="GeluTable"/>, which rcx points at.
/// </summary>
abstract class TableGeluEmitter(VectorAssembler vectors)
{
    protected const int First = 0, Second = 1, Third = 2, Fourth = 3;

    public static TableGeluEmitter Create(VectorAssembler vectors) =>
        vectors.Isa.Lanes == PermutedLines.Lanes ? new PermutedLines(vectors) : new BlendedLines(vectors);

    protected VectorAssembler Vectors => vectors;

    protected VectorIsa Isa => vectors.Isa;

    /// <summary>Replaces a vector of y.</summary>
    public void Apply(int y)
    {
        Lines(y);
        vectors.Do(Isa.Max, y, y, Table(GeluTable.ZeroIndex));
        vectors.Do(Isa.Subtract, y, y, Third);
    }

    /// <summary>slope * c + intercept to the third register.</summary>
    protected abstract void Lines(int y);

    protected void Clamp(int c, int y)
    {
        vectors.Do(Isa.And, c, y, Table(GeluTable.MagnitudeIndex));
        vectors.Do(Isa.Min, c, c, Table(GeluTable.LastIndex));
    }

    protected static MemoryOperand Table(int index) => VectorAssembler.At(Register.RCX, index * sizeof(float));
}

/// <summary>The lowest five bits of an index choose one of the 32 lanes of two registers (VPERMT2PS).</summary>
sealed class PermutedLines(VectorAssembler vectors) : TableGeluEmitter(vectors)
{
    public const int Lanes = GeluTable.Lines / 2;

    protected override void Lines(int y)
    {
        Clamp(First, y);
        Vectors.Do(Isa.Add, Second, First, Table(GeluTable.BiasIndex));
        LookUp(Third, 0);
        LookUp(Fourth, GeluTable.Lines);
        Vectors.Do(Isa.MultiplyAdd, Third, First, Fourth);
    }

    void LookUp(int to, int table)
    {
        Vectors.Load(to, Table(table));
        Vectors.Do(Code.EVEX_Vpermt2ps_zmm_k1z_zmm_zmmm512b32, to, Second, Table(table + Lanes));
    }
}

/// <summary>
/// Registers of 8 lanes: bits 0 to 2 of an index choose a lane of each quarter of a table (VPERMPS), bits 3 and 4, moved to the sign, the
/// quarter: measured faster than gathering lanes from memory on Zen 4. Registers are few, so that y and the intercepts wait in memory.
/// </summary>
sealed class BlendedLines(VectorAssembler vectors) : TableGeluEmitter(vectors)
{
    static MemoryOperand SpilledY => DotProductEmitter.Spill(0);

    static MemoryOperand SpilledIntercepts => DotProductEmitter.Spill(1);

    protected override void Lines(int y)
    {
        Clamp(First, y);
        Vectors.Do(Isa.Add, First, First, Table(GeluTable.BiasIndex));
        Vectors.Store(SpilledY, y);
        LookUp(GeluTable.Lines, free: y);
        Vectors.Store(SpilledIntercepts, Third);
        LookUp(0, free: y);
        Vectors.Load(y, SpilledY);
        Clamp(First, y);
        Vectors.Do(Isa.MultiplyAdd, Third, First, SpilledIntercepts);
    }

    /// <summary>The lines of the first register's indices to the third.</summary>
    void LookUp(int table, int free)
    {
        Vectors.Shift(Code.VEX_Vpslld_ymm_ymm_imm8, Second, First, 31 - 3);
        TakeQuarter(Third, table, 0);
        TakeQuarter(Fourth, table, 1);
        Vectors.Blend(Third, Fourth, mask: Second);
        TakeQuarter(Fourth, table, 2);
        TakeQuarter(free, table, 3);
        Vectors.Blend(Fourth, free, mask: Second);
        Vectors.Shift(Code.VEX_Vpslld_ymm_ymm_imm8, Second, First, 31 - 4);
        Vectors.Blend(Third, Fourth, mask: Second);
    }

    void TakeQuarter(int to, int table, int quarter) =>
        Vectors.Do(Code.VEX_Vpermps_ymm_ymm_ymmm256, to, First, Table(table + quarter * Isa.Lanes));
}
