using System.Runtime.CompilerServices;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>Float32 products: tiles of 6 rows x 2 vectors of outputs, whose 12 accumulators stay in registers.</summary>
sealed unsafe class PortableFloatKernel<T>(KernelIsa isa)
    : FloatKernel(new(Operation.MatMul, NumberType.F32, NumberType.F32, NumberType.F32, Mr, 2 * T.Count, isa),
        "one fused multiply-add an input, inputs ascending",
        new(WeightFormat.F32, 2 * T.Count, kGroup: 1))
    where T : struct, IFloatLanes<T>
{
    const int Mr = 6;

    static int Nr => 2 * T.Count;

    public override int ScratchBytes(int k) => Mr * Nr * sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Run(in FloatOperands operands)
    {
        var o = operands;
        var panelLength = (nint)(Packing.PanelBytes(o.K) / sizeof(float));
        var spill = (float*)o.Scratch;
        for (var m = 0; m < o.M; m += Mr)
        {
            var height = int.Min(Mr, o.M - m);
            for (var n = 0; n < o.N; n += Nr)
            {
                var weights = o.Weights + n / Nr * panelLength;
                var output = o.Output + m * o.OutputStride + n;
                var rows = o.Activations + m * o.ActivationStride;
                var width = int.Min(Nr, o.N - n);
                if (height == Mr && width == Nr) Tile(rows, o.ActivationStride, height, weights, o.K, output, o.OutputStride);
                else
                {
                    Tile(rows, o.ActivationStride, height, weights, o.K, spill, Nr);
                    for (var r = 0; r < height; r++)
                        new ReadOnlySpan<float>(spill + r * Nr, width).CopyTo(new(output + r * o.OutputStride, width));
                }
            }
        }
    }

    /// <summary>Rows from <paramref name="height"/> on are the last row once more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Tile(float* row0, nint stride, int height, float* weights, int k, float* output, nint outputStride)
    {
        T c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        T c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        var row1 = height > 1 ? row0 + stride : row0;
        var row2 = height > 2 ? row1 + stride : row1;
        var row3 = height > 3 ? row2 + stride : row2;
        var row4 = height > 4 ? row3 + stride : row3;
        var row5 = height > 5 ? row4 + stride : row4;
        for (nint i = 0; i < k; i++, weights += 2 * T.Count)
        {
            var w0 = T.Load(weights);
            var w1 = T.Load(weights + T.Count);
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
    static void AddProducts(ref T left, ref T right, float* activation, T weights0, T weights1)
    {
        var a = T.Create(*activation);
        left = T.MultiplyAdd(a, weights0, left);
        right = T.MultiplyAdd(a, weights1, right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Store(T left, T right, float* output)
    {
        left.Store(output);
        right.Store(output + T.Count);
    }
}
