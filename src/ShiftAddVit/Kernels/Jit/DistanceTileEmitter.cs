using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// L1 distances by VPSADBW: each of the 8 lanes of 64 bits adds the absolute differences of 8 pairs of unsigned bytes. Both operands have
/// zero point 128: |(q - 128) - w| = |q - (w + 128)|, and w + 128 is w with its sign bit flipped.
/// Rows are padded to whole groups of 8 inputs.
/// zmm8..31 distances, zmm4..7 weights, zmm2..3 sums in turn, zmm1 activations, zmm0 sign bits.
/// </summary>
/// <param name="key">Length: K.</param>
sealed class DistanceTileEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 6, MaxVectors = 4, OutputsOfVector = 8, GroupInputs = 8;
    const int Unroll = 2, GroupBytes = MaxVectors * VectorBytes;

    int _sum;

    protected override int VectorOutputs => OutputsOfVector;

    protected override (int Activations, int Panel) StepBytes => (GroupInputs, GroupBytes);

    static AssemblerRegisterZMM Distance(int row, int vector) => Vector(8 + row * MaxVectors + vector);

    protected override void Start()
    {
        Code.vpbroadcastd(zmm0, Constant<uint>(__dword_ptr, [0x80808080]));
        for (var i = 0; i < Key.Rows; i++)
            for (var j = 0; j < Key.Vectors; j++) Code.vpxord(Distance(i, j), Distance(i, j), Distance(i, j));
    }

    protected override void Accumulate() => Repeat((Key.Length + GroupInputs - 1) / GroupInputs, Unroll, Step);

    void Step(int step)
    {
        for (var j = 0; j < Key.Vectors; j++)
            Code.vpxord(Vector(4 + j), zmm0, __zmmword_ptr[rdx + step * StepBytes.Panel + j * VectorBytes]);
        for (var i = 0; i < Key.Rows; i++)
        {
            Code.vpbroadcastq(zmm1, Row(__qword_ptr, i, step * StepBytes.Activations));
            for (var j = 0; j < Key.Vectors; j++)
            {
                var sum = Vector(2 + _sum++ % 2);
                Code.vpsadbw(sum, zmm1, Vector(4 + j));
                Code.vpaddq(Distance(i, j), Distance(i, j), sum);
            }
        }
    }

    protected override void Finish()
    {
        Code.vpxord(zmm0, zmm0, zmm0);
        for (var i = 0; i < Key.Rows; i++)
        {
            for (var j = 0; j < Key.Vectors; j++)
            {
                Code.vpsubq(Distance(i, j), zmm0, Distance(i, j));
                Code.vpmovqd(Under(j, __ymmword_ptr[rax + j * VectorBytes / 2]), Distance(i, j));
            }
            NextOutputRow();
        }
    }
}
