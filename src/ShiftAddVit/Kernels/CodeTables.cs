using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Sums of rows of A by four code bits: for each group of four rows 16 entries, entry b the sum of those rows whose bit is set in b. An entry
/// has a width in channels, of which those beyond the last are 0.
/// </summary>
static unsafe class CodeTables
{
    /// <summary>Rows of A, and code bits, of a group.</summary>
    public const int GroupBits = 4;

    /// <summary>Entries of a group.</summary>
    public const int Entries = 1 << GroupBits;

    public static int Groups(int bits) => (bits + GroupBits - 1) / GroupBits;

    /// <summary>Int32 of the tables of I code bits.</summary>
    public static int Length(int bits, int width) => Groups(bits) * Entries * width;

    /// <summary>Fills the tables of some channels.</summary>
    /// <param name="a">A [I, channels].</param>
    /// <param name="stride">Elements from one row of A to the next.</param>
    /// <param name="bits">I.</param>
    /// <param name="channels">How many there are.</param>
    /// <param name="width">Channels of an entry, whole vectors.</param>
    /// <param name="tables">[groups][16][width].</param>
    public static void Fill<T>(int* a, nint stride, int bits, int channels, int width, int* tables) where T : struct, IIntegerLanes<T>
    {
        for (var bit = 0; bit < bits; bit += GroupBits, a += GroupBits * stride, tables += Entries * width)
            for (var channel = 0; channel < width; channel += T.Count)
            {
                var (rows, count) = (int.Min(GroupBits, bits - bit), int.Min(T.Count, channels - channel));
                if (rows == GroupBits && count == T.Count) FillGroup<T>(a + channel, stride, tables + channel, width);
                else FillPart<T>(a + channel, stride, rows, count, tables + channel, width);
            }
    }

    /// <summary>A vector of channels of a group of which rows or channels are missing: they count as 0.</summary>
    static void FillPart<T>(int* a, nint stride, int rows, int channels, int* table, int width) where T : struct, IIntegerLanes<T>
    {
        var padded = stackalloc int[GroupBits * T.Count];
        new Span<int>(padded, GroupBits * T.Count).Clear();
        for (var row = 0; row < rows; row++)
            for (var channel = 0; channel < channels; channel++) padded[row * T.Count + channel] = a[row * stride + channel];
        FillGroup<T>(padded, T.Count, table, width);
    }

    /// <summary>A vector of channels of a group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void FillGroup<T>(int* a, nint stride, int* table, nint width) where T : struct, IIntegerLanes<T>
    {
        var (row0, row1, row2, row3) = (T.Load(a), T.Load(a + stride), T.Load(a + 2 * stride), T.Load(a + 3 * stride));
        StoreFour(default, row0, row1, table, width);
        StoreFour(row2, row0, row1, table + 4 * width, width);
        StoreFour(row3, row0, row1, table + 8 * width, width);
        StoreFour(row2 + row3, row0, row1, table + 12 * width, width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreFour<T>(T sum, T row0, T row1, int* table, nint width) where T : struct, IIntegerLanes<T>
    {
        sum.Store(table);
        (sum + row0).Store(table + width);
        (sum + row1).Store(table + 2 * width);
        (sum + row0 + row1).Store(table + 3 * width);
    }
}
