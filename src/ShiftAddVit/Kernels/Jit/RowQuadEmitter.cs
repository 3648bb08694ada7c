using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Writes operations on groups of rows, four rows at a time. What the lanes of four vectors come to, sums or maxima, is found at once, by
/// halves as <see cref="Portable.IFloatLanes{T}"/> does for one: the order, and so the bits, are the same. A group is one quad of rows or two;
/// each pass is over one quad, then the other, so that one's last steps, which wait for each other, are hidden behind the other's first.
/// </summary>
abstract class RowQuadEmitter
{
    /// <summary>Rows of a quad, and of the largest group.</summary>
    public const int Rows = 4, MostRows = 2 * Rows;

    /// <summary>Elements of a round of a loop: as many as make a vector of bytes.</summary>
    public const int Block = 64;

    protected const int Lanes = 16, VectorBytes = 64, VectorsPerBlock = Block / Lanes;

    readonly int _quads;

    protected RowQuadEmitter(int quads)
    {
        _quads = quads;
        Vectors = new(VectorIsa.Avx512Vnni, Writer, default);
    }

    protected Assembler Writer { get; } = new(64);

    protected VectorAssembler Vectors { get; }

    protected static VectorIsa Isa => VectorIsa.Avx512Vnni;

    /// <summary>Rows of a group.</summary>
    protected int GroupRows => _quads * Rows;

    public byte[] Emit() => CallingConvention.Function(Writer, () =>
    {
        Begin();
        var next = Writer.CreateLabel();
        Writer.Label(ref next);
        foreach (var pass in Passes())
            for (var quad = 0; quad < _quads; quad++) pass(quad);
        Advance();
        Writer.jne(next);
    });

    /// <summary>What stays the same for all groups.</summary>
    protected abstract void Begin();

    protected abstract IEnumerable<Action<int>> Passes();

    /// <summary>Moves the arguments to the next group and counts it.</summary>
    protected abstract void Advance();

    /// <summary>Repeats for each block; rcx counts.</summary>
    protected void Loop(Action body)
    {
        var round = Writer.CreateLabel();
        Writer.Label(ref round);
        body();
        Writer.dec(rcx);
        Writer.jne(round);
    }

    protected void Clear(int first)
    {
        for (var row = 0; row < Rows; row++) Vectors.Do(Isa.Clear, first + row, first + row, first + row);
    }

    /// <summary>Brings a number of each row, one after the other in memory, to all lanes of a vector each.</summary>
    protected void BroadcastRows(int first, Register start, int offset)
    {
        for (var row = 0; row < Rows; row++) Vectors.Broadcast(first + row, At(start, offset + row * sizeof(float)));
    }

    /// <summary>
    /// Leaves what the lanes of each of four vectors come to in the first four lanes of the first. The four vectors above are changed.
    /// </summary>
    /// <param name="combine">Adds or compares.</param>
    /// <param name="first">The first of eight.</param>
    /// <param name="order">Holds the first lane of each quarter's place first.</param>
    protected void Reduce(Code combine, int first, MemoryOperand order)
    {
        const int lowerHalves = 0b01_00_01_00, upperHalves = 0b11_10_11_10, evenQuarters = 0b10_00_10_00, oddQuarters = 0b11_01_11_01;
        var (free, other) = (first + Rows, first + 2);
        Merge(combine, first, first + 1, lowerHalves, upperHalves, free);
        Merge(combine, other, first + 3, lowerHalves, upperHalves, free + 1);
        Merge(combine, first, other, evenQuarters, oddQuarters, free);
        foreach (var swap in (int[])[0b01_00_11_10, 0b10_11_00_01])
        {
            Vectors.Shift(Code.EVEX_Vpermilps_zmm_k1z_zmmm512b32_imm8, free, first, swap);
            Vectors.Do(combine, first, first, free);
        }
        Vectors.Load(free, order);
        Vectors.Do(Code.EVEX_Vpermps_zmm_k1z_zmm_zmmm512b32, first, free, first);
    }

    void Merge(Code combine, int left, int right, int some, int others, int free)
    {
        Quarters(free, left, right, some);
        Quarters(left, left, right, others);
        Vectors.Do(combine, left, free, left);
    }

    void Quarters(int to, int left, int right, int which) => Writer.AddInstruction(Instruction.Create(
        Code.EVEX_Vshuff64x2_zmm_k1z_zmm_zmmm512b64_imm8, Zmm(to), Zmm(left), Zmm(right), which));

    /// <summary>Four vectors of integers to bytes in their order, in the first. Packing works in quarters, which are then put in order.</summary>
    protected void PackInOrder(int first, int order)
    {
        Vectors.Do(Code.EVEX_Vpacksswb_zmm_k1z_zmm_zmmm512, first, first, first + 2);
        Vectors.Do(Code.EVEX_Vpermd_zmm_k1z_zmm_zmmm512b32, first, order, first);
    }

    /// <summary>Pairs of four vectors of int32 to int16, in the first and third.</summary>
    protected void PackWords(int a, int b, int c, int d)
    {
        Vectors.Do(Code.EVEX_Vpackssdw_zmm_k1z_zmm_zmmm512b32, a, a, b);
        Vectors.Do(Code.EVEX_Vpackssdw_zmm_k1z_zmm_zmmm512b32, c, c, d);
    }

    /// <summary>A place in a row of a quad; strides are one and three times from one row to the next.</summary>
    protected static MemoryOperand Row(Register start, Register stride, Register strides, int row, int offset) => row switch
    {
        0 => At(start, offset),
        3 => new(start, strides, 1, offset, 8),
        _ => new(start, stride, row, offset, 8),
    };

    protected static MemoryOperand At(Register start, int offset) => VectorAssembler.At(start, offset);

    protected static Register Zmm(int number) => Register.ZMM0 + number;

    protected static Register Xmm(int number) => Register.XMM0 + number;
}
