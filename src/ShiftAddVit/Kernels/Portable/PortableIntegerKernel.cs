using System.Runtime.CompilerServices;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>
/// U8 activations times signed bytes, a group of inputs at a time: tiles of 6 rows x 2 vectors of outputs, whose 12 accumulators stay in
/// registers. Serves every weight format, because shift weights are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class PortableIntegerKernel<T>(Operation op, NumberType weights, KernelIsa isa)
    : IntegerKernel(new(op, NumberType.U8, weights, NumberType.I32, Mr, 2 * T.Count, isa),
        $"weights decoded to signed bytes when packed; {T.Schedule}",
        new(WeightFormat.S8, 2 * T.Count, T.Group))
    where T : struct, IIntegerLanes<T>
{
    const int Mr = 6;

    static int Nr => 2 * T.Count;

    public override int ScratchBytes(int k) => RowBytes(k) * Mr + Mr * Nr * sizeof(int);

    /// <summary>Bytes of a step in a row of activations.</summary>
    const int StepBytes = sizeof(int);

    static int ActivationBytes => StepBytes / T.Group;

    /// <summary>One row of q - 128, padded to whole cache lines.</summary>
    static int RowBytes(int k) => (k * ActivationBytes + 63) & ~63;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(in IntegerOperands operands)
    {
        var o = operands;
        var rowBytes = RowBytes(o.K);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        var rows = o.Scratch;
        var spill = (int*)(rows + Mr * rowBytes);
        for (var m = 0; m < o.M; m += Mr)
        {
            var height = int.Min(Mr, o.M - m);
            for (var r = 0; r < height; r++) Centre(o.Activations + (m + r) * o.ActivationStride, o.K, rows + r * rowBytes);
            for (var n = 0; n < o.N; n += Nr)
            {
                var weights = (sbyte*)o.Weights + n / Nr * panelBytes;
                var output = (int*)o.Output + m * o.OutputStride + n;
                var width = int.Min(Nr, o.N - n);
                if (height == Mr && width == Nr) Tile(rows, rowBytes, weights, o.K, output, o.OutputStride);
                else
                {
                    // What lies beyond M or N is computed as well, from whatever the scratch holds, and dropped.
                    Tile(rows, rowBytes, weights, o.K, spill, Nr);
                    for (var r = 0; r < height; r++)
                        new ReadOnlySpan<int>(spill + r * Nr, width).CopyTo(new(output + r * o.OutputStride, width));
                }
            }
        }
    }

    /// <summary>q - 128. What K leaves open of the last group stays undefined: its weights are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Centre(byte* source, int k, byte* destination)
    {
        nint i = 0;
        for (; i <= k - T.Group * T.Count; i += T.Group * T.Count) T.Centre(source + i, destination + i * ActivationBytes);
        for (; i < k; i++) T.CentreOne(source[i], destination + i * ActivationBytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(byte* row0, nint rowBytes, sbyte* weights, int k, int* output, nint outputStride)
    {
        T c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        T c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        var row1 = row0 + rowBytes;
        var row2 = row1 + rowBytes;
        var row3 = row2 + rowBytes;
        var row4 = row3 + rowBytes;
        var row5 = row4 + rowBytes;
        var vectorBytes = T.Group * T.Count;
        for (nint i = 0; i < k * ActivationBytes; i += StepBytes, weights += 2 * vectorBytes)
        {
            var w0 = T.LoadWeights(weights);
            var w1 = T.LoadWeights(weights + vectorBytes);
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
    static void AddProducts(ref T left, ref T right, byte* activations, T weights0, T weights1)
    {
        var group = T.Broadcast(activations);
        left = T.AddProducts(left, weights0, group);
        right = T.AddProducts(right, weights1, group);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(T left, T right, int* output)
    {
        left.Store(output);
        right.Store(output + T.Count);
    }
}
