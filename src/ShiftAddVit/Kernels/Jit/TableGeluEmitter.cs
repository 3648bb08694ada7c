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
        vectors.Isa.Lanes == PermutedLines.Lanes ? new PermutedLines(vectors) : new GatheredLines(vectors);

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

/// <summary>Tables in memory (VGATHERDPS). Four registers have to do, so that c is found twice.</summary>
sealed class GatheredLines(VectorAssembler vectors) : TableGeluEmitter(vectors)
{
    protected override void Lines(int y)
    {
        Clamp(First, y);
        Vectors.Do(Isa.Add, First, First, Table(GeluTable.BiasIndex));
        Vectors.Do(Isa.And, First, First, Table(GeluTable.LineMaskIndex));
        Gather(Third, 0);
        Gather(Fourth, GeluTable.Lines);
        Clamp(First, y);
        Vectors.Do(Isa.MultiplyAdd, Third, First, Fourth);
    }

    void Gather(int to, int table)
    {
        Vectors.Do(Code.VEX_Vpcmpeqd_ymm_ymm_ymmm256, Second, Second, Second);
        Vectors.Gather(to, new(Register.RCX, Vectors.Vector(First), sizeof(float), table * sizeof(float), displSize: 1), mask: Second);
    }
}
