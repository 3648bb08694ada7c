using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// K^T V by adds under masks: lanes are code bits, so that 16 bits of a token's code are the mask of a vector; a value of the token is added to
/// all lanes whose bit is set. Rows are channels, as int32 token after token; the panel is the codes. The sums of a channel are a
/// column of the output and are scattered.
/// zmm8..31 sums, zmm0..2 values in turn; k1..4 the bits of a token.
/// </summary>
/// <param name="key">Length: tokens. Vectors: of 16 code bits.</param>
sealed class MaskedTokensEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 6, MaxVectors = 4, VectorBits = 16;
    const int Unroll = 2;

    static readonly AssemblerRegisterK[] Bits = [k1, k2, k3, k4];

    protected override (int Activations, int Panel) StepBytes => (sizeof(int), sizeof(ulong));

    static AssemblerRegisterZMM Sum(int row, int vector) => Vector(8 + row * MaxVectors + vector);

    protected override void Start()
    {
        for (var row = 0; row < Key.Rows; row++)
            for (var vector = 0; vector < Key.Vectors; vector++) Code.vpxord(Sum(row, vector), Sum(row, vector), Sum(row, vector));
    }

    protected override void Accumulate() => Repeat(Key.Length, Unroll, AddToken);

    void AddToken(int step)
    {
        for (var vector = 0; vector < Key.Vectors; vector++)
            Code.kmovw(Bits[vector], __word_ptr[rdx + step * StepBytes.Panel + vector * VectorBits / 8]);
        for (var row = 0; row < Key.Rows; row++)
        {
            var value = Vector(row % 3);
            Code.vpbroadcastd(value, Row(__dword_ptr, row, step * StepBytes.Activations));
            for (var vector = 0; vector < Key.Vectors; vector++)
                Code.vpaddd(Where(vector, Sum(row, vector)), Sum(row, vector), value);
        }
    }

    /// <summary>Channels are side by side in a row of outputs, code bits below each other.</summary>
    protected override void Finish()
    {
        LoadPlaces();
        Code.mov(rcx, Argument(nameof(TileArguments.Mask)));
        for (var vector = 0; vector < Key.Vectors; vector++)
        {
            for (var row = 0; row < Key.Rows; row++)
            {
                Code.kmovw(k1, ecx);
                Code.vpscatterdd(__[rax + zmm0 + row * sizeof(int)].k1, Sum(row, vector));
            }
            Code.shr(rcx, VectorBits);
            for (var i = 0; i < VectorBits; i++) NextOutputRow();
        }
    }

    /// <summary>zmm0: in lane i, i times the stride of outputs, by adding it once, twice, four and eight times where that bit of i is set.</summary>
    void LoadPlaces()
    {
        Code.vpbroadcastd(zmm1, r11d);
        Code.vpxord(zmm0, zmm0, zmm0);
        foreach (var lanes in (ReadOnlySpan<int>)[0xAAAA, 0xCCCC, 0xF0F0, 0xFF00])
        {
            Code.mov(ecx, lanes);
            Code.kmovw(k1, ecx);
            Code.vpaddd(zmm0.k1, zmm0, zmm1);
            Code.vpaddd(zmm1, zmm1, zmm1);
        }
    }

    static AssemblerRegisterZMM Where(int vector, AssemblerRegisterZMM sum) => vector switch { 0 => sum.k1, 1 => sum.k2, 2 => sum.k3, _ => sum.k4 };
}
