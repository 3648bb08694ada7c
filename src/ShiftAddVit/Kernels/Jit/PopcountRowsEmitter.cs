using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// As <see cref="PopcountTileEmitter"/>, row after row, for codes of up to two words: those of the weights stay in registers, and a call computes
/// many rows.
/// zmm0 K, zmm1..4 weights, zmm5..8 differences; rcx the rows.
/// </summary>
/// <param name="key">Length: K.</param>
sealed class PopcountRowsEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxBits = 2 * PopcountTileEmitter.WordBits;
    const int MaxVectors = PopcountTileEmitter.MaxVectors;

    protected override (int Activations, int Panel) StepBytes => (sizeof(int), MaxVectors * VectorBytes);

    int Words => (Key.Length + PopcountTileEmitter.WordBits - 1) / PopcountTileEmitter.WordBits;

    static AssemblerRegisterZMM Weights(int word, int vector) => Vector(1 + word * MaxVectors + vector);

    static AssemblerRegisterZMM Difference(int word, int vector) => Vector(5 + word * MaxVectors + vector);

    protected override void Start()
    {
        Code.vpbroadcastd(zmm0, Constant<int>(__dword_ptr, [Key.Length]));
        for (var word = 0; word < Words; word++)
            for (var vector = 0; vector < Key.Vectors; vector++)
                Code.vmovdqu32(Weights(word, vector), __zmmword_ptr[rdx + word * StepBytes.Panel + vector * VectorBytes]);
    }

    protected override void Accumulate() { }

    protected override void Finish()
    {
        var next = Code.CreateLabel();
        Code.mov(rcx, Argument(nameof(TileArguments.Tiles)));
        Code.Label(ref next);
        for (var vector = 0; vector < Key.Vectors; vector++) StoreRow(vector);
        Code.add(r8, r10);
        NextOutputRow();
        Code.dec(rcx);
        Code.jne(next);
    }

    /// <summary>K - 2 * count.</summary>
    void StoreRow(int vector)
    {
        for (var word = 0; word < Words; word++)
        {
            Code.vpxord(Difference(word, vector), Weights(word, vector), Row(__dword_bcst, 0, word * StepBytes.Activations));
            Code.vpopcntd(Difference(word, vector), Difference(word, vector));
        }
        var count = Difference(0, vector);
        for (var word = 1; word < Words; word++) Code.vpaddd(count, count, Difference(word, vector));
        Code.vpaddd(count, count, count);
        Code.vpsubd(count, zmm0, count);
        Store(vector, count);
    }
}
