using System.Runtime.CompilerServices;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>
/// U8 activations times signed bytes, two inputs at a time: tiles of 6 rows x 2 vectors of outputs, whose 12 accumulators stay in
/// registers. Serves every weight format, because shift weights are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class PortableIntegerKernel<T>(Operation op, NumberType weights, KernelIsa isa)
    : IntegerKernel(new(op, NumberType.U8, weights, NumberType.I32, Mr, 2 * T.Count, isa),
        "weights decoded to signed bytes when packed; int16 products of input pairs, added in int32",
        new(WeightFormat.S8, 2 * T.Count, kGroup: 2))
    where T : struct, IIntegerLanes<T>
{
    const int Mr = 6;

    static int Nr => 2 * T.Count;

    public override int ScratchBytes(int k) => RowBytes(k) * Mr + Mr * Nr * sizeof(int);

    /// <summary>One row of q - 128 as int16, padded to whole cache lines.</summary>
    static int RowBytes(int k) => (k * sizeof(short) + 63) & ~63;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(in IntegerOperands operands)
    {
        var o = operands;
        var rowLength = RowBytes(o.K) / sizeof(short);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        var rows = (short*)o.Scratch;
        var spill = (int*)(rows + Mr * rowLength);
        for (var m = 0; m < o.M; m += Mr)
        {
            var height = int.Min(Mr, o.M - m);
            for (var r = 0; r < height; r++) Widen(o.Activations + (m + r) * o.ActivationStride, o.K, rows + r * rowLength);
            for (var n = 0; n < o.N; n += Nr)
            {
                var weights = (sbyte*)o.Weights + n / Nr * panelBytes;
                var output = o.Output + m * o.OutputStride + n;
                var width = int.Min(Nr, o.N - n);
                if (height == Mr && width == Nr) Tile(rows, rowLength, weights, o.K, output, o.OutputStride);
                else
                {
                    // What lies beyond M or N is computed as well, from whatever the scratch holds, and dropped.
                    Tile(rows, rowLength, weights, o.K, spill, Nr);
                    for (var r = 0; r < height; r++)
                        new ReadOnlySpan<int>(spill + r * Nr, width).CopyTo(new(output + r * o.OutputStride, width));
                }
            }
        }
    }

    /// <summary>q - 128. An odd K leaves the partner of the last input undefined: its weight is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Widen(byte* source, int k, short* destination)
    {
        nint i = 0;
        for (; i <= k - 2 * T.Count; i += 2 * T.Count) T.Centre(source + i, destination + i);
        for (; i < k; i++) destination[i] = (short)(source[i] - 128);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(short* row0, nint rowLength, sbyte* weights, int k, int* output, nint outputStride)
    {
        T c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        T c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        var row1 = row0 + rowLength;
        var row2 = row1 + rowLength;
        var row3 = row2 + rowLength;
        var row4 = row3 + rowLength;
        var row5 = row4 + rowLength;
        for (nint i = 0; i < k; i += 2, weights += 4 * T.Count)
        {
            var w0 = T.LoadPairs(weights);
            var w1 = T.LoadPairs(weights + 2 * T.Count);
            AddProducts(ref c00, ref c01, row0 + i, w0, w1);
            AddProducts(ref c10, ref c11, row1 + i, w0, w1);
            AddProducts(ref c20, ref c21, row2 + i, w0, w1);
            AddProducts(ref c30, ref c31, row3 + i, w0, w1);
            AddProducts(ref c40, ref c41, row4 + i, w0, w1);
            AddProducts(ref c50, ref c51, row5 + i, w0, w1);
        }
        Store(c00, c01, output);
        Store(c10, c11, output += outputStride);
        Store(c20, c21, output += outputStride);
        Store(c30, c31, output += outputStride);
        Store(c40, c41, output += outputStride);
        Store(c50, c51, output + outputStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void AddProducts(ref T left, ref T right, short* activations, T weights0, T weights1)
    {
        var pair = T.BroadcastPair(activations);
        left = T.AddPairProducts(left, weights0, pair);
        right = T.AddPairProducts(right, weights1, pair);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(T left, T right, int* output)
    {
        left.Store(output);
        right.Store(output + T.Count);
    }
}
