using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels;

/// <summary>Replaces bytes by entries of a table of 256 bytes.</summary>
static unsafe class ByteTable
{
    /// <summary>x[i] = table[x[i]]; returns SUM x[i].</summary>
    /// <param name="x">Bytes, replaced.</param>
    /// <param name="length">How many, a multiple of 64; their sum stays below 2^31.</param>
    /// <param name="table">256 bytes.</param>
    /// <param name="widest">The widest vectors allowed.</param>
    public static int LookUp(byte* x, int length, ReadOnlySpan<byte> table, KernelIsa widest) =>
        widest >= KernelIsa.Vector512 && Avx512Vbmi.IsSupported ? LookUpVbmi(x, length, table) : LookUpEach(x, length, table);

    static int LookUpEach(byte* x, int length, ReadOnlySpan<byte> table)
    {
        var sum = 0;
        for (var i = 0; i < length; i++) sum += x[i] = table[x[i]];
        return sum;
    }

    /// <summary>64 bytes at a time: bits 0..6 choose among 128 entries, bit 7 between the halves of the table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int LookUpVbmi(byte* x, int length, ReadOnlySpan<byte> table)
    {
        ref var entries = ref MemoryMarshal.GetReference(table);
        var first = Vector512.LoadUnsafe(ref entries);
        var second = Vector512.LoadUnsafe(ref entries, 64);
        var third = Vector512.LoadUnsafe(ref entries, 128);
        var fourth = Vector512.LoadUnsafe(ref entries, 192);
        var sums = Vector512<ulong>.Zero;
        for (nint i = 0; i < length; i += 64)
        {
            var index = Vector512.Load(x + i);
            var low = Avx512Vbmi.PermuteVar64x8x2(first, index, second);
            var high = Avx512Vbmi.PermuteVar64x8x2(third, index, fourth);
            var value = Vector512.ConditionalSelect(Vector512.LessThan(index.AsSByte(), Vector512<sbyte>.Zero).AsByte(), high, low);
            value.Store(x + i);
            sums += Avx512BW.SumAbsoluteDifferences(value, Vector512<byte>.Zero).AsUInt64();
        }
        return (int)Vector512.Sum(sums);
    }
}
