using System.Runtime.CompilerServices;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>
/// Q(KV) by table look-up: one load and one add for four code bits. Tiles of 2 tokens x 2 vectors of channels, whose sums stay in registers;
/// tables of two vectors at a time, so that they stay in the first cache.
/// </summary>
sealed unsafe class PortableLookUpKernel<T>(KernelIsa isa) : AddCodesKernel(
    new(Operation.MatAdd, NumberType.B1, NumberType.I32, NumberType.I32, Mr, 2 * T.Count, isa, KernelSchedule.LookUp),
    "adds only: sums of four rows looked up in tables of 16")
    where T : struct, IIntegerLanes<T>
{
    const int Mr = 2;

    static int Nr => 2 * T.Count;

    static int SpillBytes => Mr * Nr * sizeof(int);

    static int Slices(int headSize) => (headSize + Nr - 1) / Nr;

    public override long ScratchBytes(int bits, int headSize) =>
        AlignedBuffer.Align(SpillBytes) + (long)Slices(headSize) * CodeTables.Length(bits, Nr) * sizeof(int);

    static int* Tables(in AddCodesOperands o, int d) =>
        (int*)(o.Scratch + AlignedBuffer.Align(SpillBytes)) + d / Nr * (nint)CodeTables.Length(o.Bits, Nr);

    public override void Prepare(in AddCodesOperands o)
    {
        for (var d = 0; d < o.HeadSize; d += Nr) CodeTables.Fill<T>(o.Sums + d, o.SumStride, o.Bits, o.HeadSize - d, Nr, Tables(o, d));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(in AddCodesOperands operands)
    {
        var o = operands;
        var groups = CodeTables.Groups(o.Bits);
        for (var d = 0; d < o.HeadSize; d += Nr)
        {
            var tables = Tables(o, d);
            var width = int.Min(Nr, o.HeadSize - d);
            for (var t = 0; t < o.Tokens; t += Mr)
            {
                var output = o.Output + t * o.OutputStride + d;
                var height = int.Min(Mr, o.Tokens - t);
                if (height == Mr && width == Nr) Tile(o.Codes[t], o.Codes[t + 1], groups, tables, output, o.OutputStride);
                else
                {
                    var spill = (int*)o.Scratch;
                    Tile(o.Codes[t], o.Codes[t + height - 1], groups, tables, spill, Nr);
                    for (var row = 0; row < height; row++)
                        new ReadOnlySpan<int>(spill + row * Nr, width).CopyTo(new(output + row * o.OutputStride, width));
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(ulong code0, ulong code1, int groups, int* tables, int* output, nint outputStride)
    {
        T c00 = default, c01 = default, c10 = default, c11 = default;
        for (; groups > 0; groups--, tables += CodeTables.Entries * 2 * T.Count)
        {
            Add(ref c00, ref c01, tables + (nint)(code0 & (CodeTables.Entries - 1)) * 2 * T.Count);
            Add(ref c10, ref c11, tables + (nint)(code1 & (CodeTables.Entries - 1)) * 2 * T.Count);
            code0 >>= CodeTables.GroupBits;
            code1 >>= CodeTables.GroupBits;
        }
        c00.Store(output);
        c01.Store(output + T.Count);
        c10.Store(output + outputStride);
        c11.Store(output + outputStride + T.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Add(ref T left, ref T right, int* entry)
    {
        left += T.Load(entry);
        right += T.Load(entry + T.Count);
    }
}
