using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// MatShift of P5 by a kernel for signed bytes: SUM_k w * x = 255 * SUM_k high * x + SUM_k low * x, the sums exact in int32 and added in int64.
/// To the other kernel the high bytes of a panel's outputs are one panel and the low ones the next.
/// </summary>
sealed unsafe class SplitKernel(IntegerKernel bytes) : IntegerKernel(
    bytes.Name with { Op = Operation.MatShift, B = NumberType.P5, Acc = NumberType.I64 },
    $"{P5.HighWeight} times a high byte plus a low one; {bytes.Schedule}", bytes.Packing.InTwoParts())
{
    /// <summary>Rows at a time: their sums stay in the first-level cache.</summary>
    const int BlockRows = 24;

    /// <summary>The kernel that sums.</summary>
    public IntegerKernel Bytes => bytes;

    public override string? Missing => bytes.Missing;

    public override bool CanRun => bytes.CanRun;

    public override int ScratchBytes(int k) => SumsOffset(k) + BlockRows * SumsStride * sizeof(int);

    int SumsOffset(int k) => (int)AlignedBuffer.Align(bytes.ScratchBytes(k));

    int SumsStride => 2 * Packing.Nr;

    public override void Run(in IntegerOperands o)
    {
        var sums = (int*)(o.Scratch + SumsOffset(o.K));
        for (var n = 0; n < o.N; n += Packing.Nr)
            for (var m = 0; m < o.M; m += BlockRows)
            {
                var height = int.Min(BlockRows, o.M - m);
                bytes.Run(new IntegerOperands
                {
                    M = height, N = SumsStride, K = o.K, Activations = o.Activations + m * o.ActivationStride, ActivationStride = o.ActivationStride,
                    Weights = o.Weights + n / Packing.Nr * (nint)Packing.PanelBytes(o.K), Output = sums, OutputStride = SumsStride, Scratch = o.Scratch,
                });
                var output = (long*)o.Output + m * o.OutputStride + n;
                for (var row = 0; row < height; row++)
                    Add(sums + row * SumsStride, sums + row * SumsStride + Packing.Nr, int.Min(Packing.Nr, o.N - n), output + row * o.OutputStride);
            }
    }

    /// <summary>acc = 255 high + low.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Add(int* high, int* low, int count, long* acc)
    {
        var n = 0;
        for (; n <= count - Vector256<int>.Count; n += Vector256<int>.Count)
        {
            var (h0, h1) = Vector256.Widen(Vector256.Load(high + n));
            var (l0, l1) = Vector256.Widen(Vector256.Load(low + n));
            ((h0 << 8) - h0 + l0).Store(acc + n);
            ((h1 << 8) - h1 + l1).Store(acc + n + Vector256<long>.Count);
        }
        for (; n < count; n++) acc[n] = (long)P5.HighWeight * high[n] + low[n];
    }
}
