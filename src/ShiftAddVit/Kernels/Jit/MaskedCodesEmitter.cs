using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Q(KV) by adds under masks: lanes are channels; a row of A is added to the sums of a token under a mask that is all ones where the token's
/// code bit is set. Rows are codes, the panel is A in rows of four vectors.
/// zmm8..31 sums, zmm4..7 a row of A, zmm0 the code bit in all lanes; k7 the mask.
/// </summary>
/// <param name="key">Length: code bits, up to 64.</param>
sealed class MaskedCodesEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 6, MaxVectors = 4;
    const int WordBits = 32, Unroll = 4;

    protected override (int Activations, int Panel) StepBytes => (0, MaxVectors * VectorBytes);

    static AssemblerRegisterZMM Sum(int row, int vector) => Vector(8 + row * MaxVectors + vector);

    protected override void Start()
    {
        for (var row = 0; row < Key.Rows; row++)
            for (var vector = 0; vector < Key.Vectors; vector++) Code.vpxord(Sum(row, vector), Sum(row, vector), Sum(row, vector));
    }

    /// <summary>The two words of a code. The first is a whole number of rounds, so that the second starts where the pointers are then.</summary>
    protected override void Accumulate()
    {
        for (var first = 0; first < Key.Length; first += WordBits)
        {
            var word = first / WordBits * sizeof(uint);
            Code.vpbroadcastd(zmm0, Constant<int>(__dword_ptr, [1]));
            Repeat(int.Min(WordBits, Key.Length - first), Unroll, step => AddRow(step, word));
        }
    }

    void AddRow(int step, int word)
    {
        for (var vector = 0; vector < Key.Vectors; vector++)
            Code.vmovdqu32(Vector(4 + vector), __zmmword_ptr[rdx + step * StepBytes.Panel + vector * VectorBytes]);
        for (var row = 0; row < Key.Rows; row++)
        {
            Code.vptestmd(k7, zmm0, Row(__dword_bcst, row, word));
            for (var vector = 0; vector < Key.Vectors; vector++) Code.vpaddd(Sum(row, vector).k7, Sum(row, vector), Vector(4 + vector));
        }
        Code.vpaddd(zmm0, zmm0, zmm0);
    }

    protected override void Finish()
    {
        for (var row = 0; row < Key.Rows; row++)
        {
            for (var vector = 0; vector < Key.Vectors; vector++) Store(vector, Sum(row, vector));
            NextOutputRow();
        }
    }
}
