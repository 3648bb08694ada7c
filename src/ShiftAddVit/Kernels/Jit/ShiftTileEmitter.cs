using Iced.Intel;
using ShiftAddVit.Tensors;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// MatShift by variable shifts and adds in 32 lanes of 16 bits, one an output. A term s * (x &lt;&lt; p) is (x &lt;&lt; p) ^ mask, the mask all ones
/// for s = -1, less one for each such s; the code 0 shifts by 16, which leaves 0. With that one's complement a term is in -8192..8191, so that
/// four fit a lane. Four by four they are added to two sums of 32-bit lanes: of the whole lane pairs d = 65536 * high + low, and of
/// d >> 16 = high; SUM low = SUM d - 65536 * SUM high, modulo 2^32. For this, low must not borrow from high: it starts at 32768.
/// One more row, of x = 0, sums what those starts and the masks add; it is subtracted from each row.
/// Activations are 32-bit lanes with x in both halves, [rows][K], K padded to whole groups of four terms.
/// zmm0..3 shifts, zmm4..7 masks, zmm8..9 their tables, zmm10 starts, zmm11..13 free, zmm14..31 sums, those of the zero row last.
/// </summary>
/// <param name="key">Length: terms, K or 2 K.</param>
sealed class ShiftTileEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 8, Outputs = 32, GroupTerms = 4;
    const int Unroll = 2, CodesPerByte = 2, NoShift = 16;

    /// <summary>Codes of one input.</summary>
    readonly int _termsPerInput = key.Kind == TileKind.ShiftP4 ? 1 : 2;

    protected override (int Activations, int Panel) StepBytes => (GroupTerms / _termsPerInput * sizeof(int), GroupTerms / CodesPerByte * Outputs);

    int ZeroRow => Key.Rows;

    static AssemblerRegisterZMM Pairs(int row) => Vector(14 + 2 * row);

    static AssemblerRegisterZMM Highs(int row) => Vector(15 + 2 * row);

    protected override void Start()
    {
        // Permutations of words read five bits: the lowest of the next code is among them, so a table holds everything twice.
        Code.vmovdqu16(zmm8, Constant<ushort>(__zmmword_ptr, [.. Codes().Select(code => (ushort)((code & 7) == 0 ? NoShift : (code & 7) - 1))]));
        Code.vmovdqu16(zmm9, Constant<short>(__zmmword_ptr, [.. Codes().Select(code => (short)(P4.Decode(code) < 0 ? -1 : 0))]));
        Code.vpbroadcastd(zmm10, Constant<int>(__dword_ptr, [1 << 15]));
        for (var row = 0; row <= ZeroRow; row++)
        {
            Code.vpxord(Pairs(row), Pairs(row), Pairs(row));
            Code.vpxord(Highs(row), Highs(row), Highs(row));
        }
    }

    static IEnumerable<int> Codes() => Enumerable.Range(0, 32).Select(index => index & 15);

    protected override void Accumulate()
    {
        var (groups, rest) = Math.DivRem(Key.Length, GroupTerms);
        var last = Repeat(groups, Unroll, group => Group(group, GroupTerms));
        if (rest > 0) Group(last, rest);
    }

    void Group(int group, int terms)
    {
        for (var term = 0; term < terms; term += CodesPerByte) Decode(group, term);
        for (var row = 0; row < Key.Rows; row++)
        {
            for (var term = 0; term < terms; term++) AddTerm(row, group, term);
            Widen(row);
        }
        for (var term = 0; term < terms; term++) Code.vpaddw(zmm11, term == 0 ? zmm10 : zmm11, Vector(4 + term));
        Widen(ZeroRow);
    }

    /// <summary>Shifts and masks of two terms, whose codes are the nibbles of 32 bytes.</summary>
    void Decode(int group, int term)
    {
        Code.vpmovzxbw(zmm11, __ymmword_ptr[rdx + group * StepBytes.Panel + term / CodesPerByte * Outputs]);
        for (var nibble = 0; nibble < CodesPerByte; nibble++)
        {
            if (nibble > 0) Code.vpsrlw(zmm11, zmm11, 4);
            Code.vpermw(Vector(term + nibble), zmm11, zmm8);
            Code.vpermw(Vector(4 + term + nibble), zmm11, zmm9);
        }
    }

    void AddTerm(int row, int group, int term)
    {
        if (term % _termsPerInput == 0)
            Code.vpbroadcastd(zmm12, Row(__dword_ptr, row, group * StepBytes.Activations + term / _termsPerInput * sizeof(int)));
        Code.vpsllvw(zmm13, zmm12, Vector(term));
        Code.vpxord(zmm13, zmm13, Vector(4 + term));
        Code.vpaddw(zmm11, term == 0 ? zmm10 : zmm11, zmm13);
    }

    void Widen(int row)
    {
        Code.vpaddd(Pairs(row), Pairs(row), zmm11);
        Code.vpsrad(zmm11, zmm11, 16);
        Code.vpaddd(Highs(row), Highs(row), zmm11);
    }

    protected override void Finish()
    {
        Code.vmovdqu32(zmm0, Constant<int>(__zmmword_ptr, [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23]));
        Code.vmovdqu32(zmm1, Constant<int>(__zmmword_ptr, [8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31]));
        Lows(ZeroRow);
        for (var row = 0; row < Key.Rows; row++)
        {
            Lows(row);
            Code.vpsubd(zmm2, Pairs(row), Pairs(ZeroRow));
            Code.vpsubd(zmm3, Highs(row), Highs(ZeroRow));
            for (var vector = 0; vector < Key.Vectors; vector++)
            {
                Code.vmovdqa32(zmm4, zmm2);
                Code.vpermt2d(zmm4, Vector(vector), zmm3);
                Store(vector, zmm4);
            }
            NextOutputRow();
        }
    }

    /// <summary>SUM low = SUM d - 65536 * SUM high.</summary>
    void Lows(int row)
    {
        Code.vpslld(zmm2, Highs(row), 16);
        Code.vpsubd(Pairs(row), Pairs(row), zmm2);
    }
}
