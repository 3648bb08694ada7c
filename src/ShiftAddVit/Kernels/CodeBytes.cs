using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels;

/// <summary>Codes of tokens, a word each, as rows of bytes: row i holds bit i of one token after the other.</summary>
static unsafe class CodeBytes
{
    const int ByteBits = 8;
    const ulong Ones = 0x0101_0101_0101_0101;

    /// <summary>Tokens that are taken at a time: rows are written in multiples of this, those of missing tokens with bit 0.</summary>
    public const int Block = 64;

    /// <summary>row[i][t] = zero + bit i of code t.</summary>
    /// <param name="codes">[N].</param>
    /// <param name="tokens">N.</param>
    /// <param name="bits">I.</param>
    /// <param name="zero">The byte that stands for bit 0, even.</param>
    /// <param name="rows">[I, N rounded up to whole blocks].</param>
    /// <param name="stride">Bytes from one row to the next.</param>
    public static void Expand(ulong* codes, int tokens, int bits, byte zero, byte* rows, nint stride)
    {
        for (; tokens >= Block; tokens -= Block, codes += Block, rows += Block) ExpandBlock(codes, bits, zero * Ones, rows, stride);
        if (tokens == 0) return;
        var last = stackalloc ulong[Block];
        new Span<ulong>(last, Block).Clear();
        new ReadOnlySpan<ulong>(codes, tokens).CopyTo(new(last, Block));
        ExpandBlock(last, bits, zero * Ones, rows, stride);
    }

    static void ExpandBlock(ulong* codes, int bits, ulong zeros, byte* rows, nint stride)
    {
        if (Avx512BW.IsSupported) ExpandVectors(codes, bits, zeros, rows, stride);
        else ExpandWords(codes, bits, zeros, rows, stride);
    }

    /// <summary>Eight tokens at a time: their n-th bytes are a word, whose bytes have a bit each in place after a shift.</summary>
    internal static void ExpandWords(ulong* codes, int bits, ulong zeros, byte* rows, nint stride)
    {
        for (var token = 0; token < Block; token += sizeof(ulong), codes += sizeof(ulong), rows += sizeof(ulong))
            for (var first = 0; first < bits; first += ByteBits)
            {
                var plane = 0UL;
                for (var i = 0; i < sizeof(ulong); i++) plane |= (codes[i] >> first & 0xFF) << (i * ByteBits);
                for (var bit = first; bit < int.Min(first + ByteBits, bits); bit++, plane >>= 1)
                    *(ulong*)(rows + bit * stride) = (plane & Ones) | zeros;
            }
    }

    /// <summary>
    /// The same of 64 tokens. Pairs of tokens with equal bytes side by side are eight words a lane, so that lanes of eight vectors are
    /// transposed as matrices of 8 x 8 words; lane l of vector v holds tokens 8 v + 2 l and the next.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void ExpandVectors(ulong* codes, int bits, ulong zeros, byte* rows, nint stride)
    {
        var (a, b, c, d) = (Pairs(codes), Pairs(codes + 8), Pairs(codes + 16), Pairs(codes + 24));
        var (e, f, g, h) = (Pairs(codes + 32), Pairs(codes + 40), Pairs(codes + 48), Pairs(codes + 56));
        WriteHalf(Low(a, b), Low(c, d), Low(e, f), Low(g, h), 0, bits, zeros, rows, stride);
        if (bits > 4 * ByteBits) WriteHalf(High(a, b), High(c, d), High(e, f), High(g, h), 4 * ByteBits, bits, zeros, rows, stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<short> Pairs(ulong* codes) => Avx512BW.Shuffle(
        Vector512.Load((byte*)codes), Vector512.Create(Vector128.Create((byte)0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15))).AsInt16();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> Low(Vector512<short> left, Vector512<short> right) => Avx512BW.UnpackLow(left, right).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> High(Vector512<short> left, Vector512<short> right) => Avx512BW.UnpackHigh(left, right).AsInt32();

    /// <summary>The rows of four bytes of the codes, of four pairs of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void WriteHalf(
        Vector512<int> ab, Vector512<int> cd, Vector512<int> ef, Vector512<int> gh, int first, int bits, ulong zeros, byte* rows, nint stride)
    {
        var (lowLeft, lowRight) = (Avx512F.UnpackLow(ab, cd).AsInt64(), Avx512F.UnpackLow(ef, gh).AsInt64());
        WriteByte(Avx512F.UnpackLow(lowLeft, lowRight), first, bits, zeros, rows, stride);
        WriteByte(Avx512F.UnpackHigh(lowLeft, lowRight), first + ByteBits, bits, zeros, rows, stride);
        if (first + 2 * ByteBits >= bits) return;
        var (highLeft, highRight) = (Avx512F.UnpackHigh(ab, cd).AsInt64(), Avx512F.UnpackHigh(ef, gh).AsInt64());
        WriteByte(Avx512F.UnpackLow(highLeft, highRight), first + 2 * ByteBits, bits, zeros, rows, stride);
        WriteByte(Avx512F.UnpackHigh(highLeft, highRight), first + 3 * ByteBits, bits, zeros, rows, stride);
    }

    /// <summary>Up to eight rows of one byte of all codes, whose pairs are brought into order first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void WriteByte(Vector512<long> pairs, int first, int bits, ulong zeros, byte* rows, nint stride)
    {
        var order = Vector512.Create(
            (short)0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27, 4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31);
        var plane = Avx512BW.PermuteVar32x16(pairs.AsInt16(), order).AsUInt64();
        var end = int.Min(first + ByteBits, bits);
        for (var bit = first; bit < end; bit++, plane >>>= 1)
            ((plane & Vector512.Create(Ones)) | Vector512.Create(zeros)).Store((ulong*)(rows + bit * stride));
    }
}
