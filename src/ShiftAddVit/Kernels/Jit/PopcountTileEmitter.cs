using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Dot products of codes +1 and -1 by counting the bits that differ (VPOPCNTD), 32 inputs in each of 16 lanes.
/// zmm8..31 counts, zmm3..7 differences in turn, zmm1..2 weights, zmm0 K.
/// </summary>
/// <param name="key">Length: K.</param>
sealed class PopcountTileEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 12, MaxVectors = 2, WordBits = 32;
    const int Unroll = 2;

    int _difference;

    protected override (int Activations, int Panel) StepBytes => (sizeof(int), MaxVectors * VectorBytes);

    static AssemblerRegisterZMM Count(int row, int vector) => Vector(8 + row * MaxVectors + vector);

    protected override void Start()
    {
        for (var i = 0; i < Key.Rows; i++)
            for (var j = 0; j < Key.Vectors; j++) Code.vpxord(Count(i, j), Count(i, j), Count(i, j));
    }

    protected override void Accumulate() => Repeat((Key.Length + WordBits - 1) / WordBits, Unroll, Step);

    void Step(int step)
    {
        for (var j = 0; j < Key.Vectors; j++) Code.vmovdqu32(Vector(1 + j), __zmmword_ptr[rdx + step * StepBytes.Panel + j * VectorBytes]);
        for (var i = 0; i < Key.Rows; i++)
            for (var j = 0; j < Key.Vectors; j++)
            {
                var difference = Vector(3 + _difference++ % 5);
                Code.vpxord(difference, Vector(1 + j), Row(__dword_bcst, i, step * StepBytes.Activations));
                Code.vpopcntd(difference, difference);
                Code.vpaddd(Count(i, j), Count(i, j), difference);
            }
    }

    /// <summary>As many products are +1 as bits agree: K - 2 * count.</summary>
    protected override void Finish()
    {
        Code.vpbroadcastd(zmm0, Constant<int>(__dword_ptr, [Key.Length]));
        for (var i = 0; i < Key.Rows; i++)
        {
            for (var j = 0; j < Key.Vectors; j++)
            {
                Code.vpaddd(Count(i, j), Count(i, j), Count(i, j));
                Code.vpsubd(Count(i, j), zmm0, Count(i, j));
                Store(j, Count(i, j));
            }
            NextOutputRow();
        }
    }
}
