using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// MatShift of P5 by a kernel for signed bytes: SUM_k w * x = 255 * SUM_k high * x + SUM_k low * x, both sums exact in int32. To the other kernel
/// the high and the low bytes of some outputs are a panel of twice as many.
/// </summary>
sealed unsafe class SplitKernel(IntegerKernel bytes) : IntegerKernel(
    bytes.Name with { Op = Operation.MatShift, B = NumberType.P5, Acc = NumberType.I64, Nr = bytes.Name.Nr / 2 },
    $"{P5.HighWeight} times a high byte plus a low one; {bytes.Schedule}", bytes.Packing.InTwoParts())
{
    /// <summary>Rows and sums of a row at a time: together they stay in the first-level cache.</summary>
    const int BlockRows = 24, BlockColumns = 256;

    /// <summary>The kernel that sums.</summary>
    public IntegerKernel Bytes => bytes;

    public override string? Missing => bytes.Missing;

    public override bool CanRun => bytes.CanRun;

    public override int ScratchBytes(int k) => SumsOffset(k) + BlockRows * BlockPanels * Packing.Columns * sizeof(int);

    int SumsOffset(int k) => (int)AlignedBuffer.Align(bytes.ScratchBytes(k));

    int BlockPanels => BlockColumns / Packing.Columns;

    public override void Run(in IntegerOperands o)
    {
        for (var n = 0; n < o.N; n += BlockPanels * Packing.Nr)
            for (var m = 0; m < o.M; m += BlockRows) RunBlock(o, m, n);
    }

    /// <summary>Generated code makes floats of the sums of both halves; otherwise they are added in int64 first.</summary>
    public override void Run(in LinearOperands o, RowOps rows)
    {
        if (bytes is not DotProductKernel generated || o.Offsets is not null)
        {
            base.Run(o, rows);
            return;
        }
        if (o.Epilogue != Epilogue.QuantizeHeads)
        {
            generated.RunSplit(o, rows);
            return;
        }
        var y = (float*)o.Scratch;
        generated.RunSplit(o with { Output = y, OutputStride = o.N, Epilogue = Epilogue.Store }, rows);
        for (var m = 0; m < o.M; m++) QuantizeHeads(o, m, y + (long)m * o.N, rows);
    }

    void RunBlock(in IntegerOperands o, int m, int n)
    {
        var (height, width) = (int.Min(BlockRows, o.M - m), int.Min(BlockPanels * Packing.Nr, o.N - n));
        var columns = (width + Packing.Nr - 1) / Packing.Nr * Packing.Columns;
        var sums = (int*)(o.Scratch + SumsOffset(o.K));
        bytes.Run(new IntegerOperands
        {
            M = height, N = columns, K = o.K, Activations = o.Activations + m * o.ActivationStride, ActivationStride = o.ActivationStride,
            Weights = o.Weights + n / Packing.Nr * (nint)Packing.PanelBytes(o.K), Output = sums, OutputStride = columns, Scratch = o.Scratch,
        });
        var output = (long*)o.Output + m * o.OutputStride + n;
        for (var row = 0; row < height; row++, sums += columns, output += o.OutputStride)
            for (var first = 0; first < width; first += Packing.Nr)
                Add(sums + 2 * first, sums + 2 * first + Packing.Nr, int.Min(Packing.Nr, width - first), output + first);
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
