using System.Numerics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Q(KV) by look-up, tile after tile of tokens: four bits of a code select one of 16 sums of rows of A (<see cref="CodeTables"/>), which is added.
/// Codes stay in registers and are turned so that those bits are an offset into the tables. Three tokens at a time, as an add waits two cycles
/// for the one before (Zen 5).
/// zmm0..11 sums; rsi, r9, r10 codes, rdi an offset, rcx the tiles, rdx the tables.
/// </summary>
/// <param name="key">Length: code bits, up to 64.</param>
sealed class LookUpCodesEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 3, MaxVectors = 4;
    const int WordBits = 64;

    static readonly AssemblerRegister64[] Codes = [rsi, r9, r10];

    /// <summary>Bytes of an entry: a power of two, so that an offset is bits of a code in place.</summary>
    readonly int _entryBytes = Vectors(key.Vectors) * VectorBytes;

    /// <summary>Vectors of an entry for so many that are stored.</summary>
    public static int Vectors(int stored) => (int)BitOperations.RoundUpToPowerOf2((uint)stored);

    protected override (int Activations, int Panel) StepBytes => (sizeof(ulong), 0);

    AssemblerRegisterZMM Sum(int row, int vector) => Vector(row * Key.Vectors + vector);

    protected override void Start() { }

    protected override void Accumulate() { }

    protected override void Finish()
    {
        var next = Code.CreateLabel();
        Code.mov(rcx, Argument(nameof(TileArguments.Tiles)));
        Code.Label(ref next);
        for (var row = 0; row < Key.Rows; row++) Code.mov(Codes[row], __qword_ptr[r8 + row * StepBytes.Activations]);
        for (var group = 0; group < CodeTables.Groups(Key.Length); group++)
            for (var row = 0; row < Key.Rows; row++) AddEntry(row, group);
        for (var row = 0; row < Key.Rows; row++)
        {
            for (var vector = 0; vector < Key.Vectors; vector++) Store(vector, Sum(row, vector));
            NextOutputRow();
        }
        Code.add(r8, Key.Rows * StepBytes.Activations);
        Code.dec(rcx);
        Code.jne(next);
    }

    void AddEntry(int row, int group)
    {
        var offsetBit = BitOperations.Log2((uint)_entryBytes);
        Code.rorx(rdi, Codes[row], (byte)((group * CodeTables.GroupBits - offsetBit + WordBits) % WordBits));
        Code.and(edi, (CodeTables.Entries - 1) << offsetBit);
        for (var vector = 0; vector < Key.Vectors; vector++)
        {
            var entry = __zmmword_ptr[rdx + rdi + group * CodeTables.Entries * _entryBytes + vector * VectorBytes];
            if (group == 0) Code.vmovdqu32(Sum(row, vector), entry);
            else Code.vpaddd(Sum(row, vector), Sum(row, vector), entry);
        }
    }
}
