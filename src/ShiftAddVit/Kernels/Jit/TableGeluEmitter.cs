using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes y = max(y, 0) - (slope * c + intercept), c = min(|y|, Last), where the lowest bits of c + Bias choose the line: see
/// <see cref="GeluTable"/>, which rdx points at.
/// </summary>
abstract class TableGeluEmitter(VectorAssembler vectors)
{
    protected const int First = 0, Second = 1, Third = 2, Fourth = 3;

    public static TableGeluEmitter Create(VectorAssembler vectors) =>
        vectors.Isa.Lanes == PermutedLines.Lanes ? new PermutedLines(vectors) : new GatheredLines(vectors);

    protected VectorAssembler Vectors => vectors;

    protected VectorIsa Isa => vectors.Isa;

    /// <summary>Loads what stays in registers, before each tile.</summary>
    public virtual void Begin() { }

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

    protected static MemoryOperand Table(int index) => VectorAssembler.At(Register.RDX, index * sizeof(float));
}

/// <summary>Tables in registers: the lowest five bits of an index choose one of the 32 lanes of two (VPERMI2PS).</summary>
sealed class PermutedLines(VectorAssembler vectors) : TableGeluEmitter(vectors)
{
    public const int Lanes = GeluTable.Lines / 2;

    const int Slopes = 4, Intercepts = 6;

    public override void Begin()
    {
        for (var part = 0; part < 4; part++) Vectors.Load(Slopes + part, Table(part * Lanes));
    }

    protected override void Lines(int y)
    {
        Clamp(First, y);
        Vectors.Do(Isa.Add, Third, First, Table(GeluTable.BiasIndex));
        Vectors.Do(Isa.Copy, Second, Third);
        Vectors.Do(Code.EVEX_Vpermi2ps_zmm_k1z_zmm_zmmm512b32, Third, Slopes, Slopes + 1);
        Vectors.Do(Code.EVEX_Vpermi2ps_zmm_k1z_zmm_zmmm512b32, Second, Intercepts, Intercepts + 1);
        Vectors.Do(Isa.MultiplyAdd, Third, First, Second);
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
        Vectors.Gather(to, new(Register.RDX, Vectors.Vector(First), sizeof(float), table * sizeof(float), displSize: 1), mask: Second);
    }
}
