using ShiftAddVit.Kernels;
using ShiftAddVit.Tests.Suites;

namespace ShiftAddVit.Tests.Kernels;

/// <summary>Both forms of the expansion, whichever this machine runs, and what the other machines run.</summary>
public unsafe class CodeBytesTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(128)]
    public void A_row_holds_one_bit_of_each_token(byte zero)
    {
        for (var bits = 1; bits <= 64; bits++)
            foreach (var tokens in (ReadOnlySpan<int>)[1, 63, 64, 65, 200])
            {
                var codes = AddTokensCase.RandomCodes(new(bits), tokens, bits);
                var stride = (tokens + CodeBytes.Block - 1) / CodeBytes.Block * CodeBytes.Block;
                using var source = GuardedMemory.Of<ulong>(codes);
                using var rows = new GuardedMemory(bits * stride);
                CodeBytes.Expand((ulong*)source.Pointer, tokens, bits, zero, rows.Pointer, stride);
                AssertRows(codes, bits, zero, rows.Bytes, stride);
            }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(128)]
    public void So_it_does_without_wide_vectors(byte zero)
    {
        for (var bits = 1; bits <= 64; bits++)
        {
            var codes = AddTokensCase.RandomCodes(new(bits), CodeBytes.Block, bits);
            using var source = GuardedMemory.Of<ulong>(codes);
            using var rows = new GuardedMemory(bits * CodeBytes.Block);
            CodeBytes.ExpandWords((ulong*)source.Pointer, bits, zero * 0x0101_0101_0101_0101UL, rows.Pointer, CodeBytes.Block);
            AssertRows(codes, bits, zero, rows.Bytes, CodeBytes.Block);
        }
    }

    static void AssertRows(ulong[] codes, int bits, byte zero, ReadOnlySpan<byte> rows, int stride)
    {
        for (var i = 0; i < bits; i++)
            for (var t = 0; t < stride; t++)
            {
                var bit = t < codes.Length ? (int)(codes[t] >> i & 1) : 0;
                if (rows[i * stride + t] != zero + bit) Assert.Fail($"bit {i} of token {t} of {codes.Length}, {bits} code bits");
            }
    }
}
