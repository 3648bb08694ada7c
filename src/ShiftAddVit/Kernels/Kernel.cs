using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>A matrix kernel: its name, how it works and how it wants its weights.</summary>
abstract class Kernel(KernelName name, string schedule, PackFormat packing)
{
    public KernelName Name { get; } = name;

    public string Schedule { get; } = schedule;

    public PackFormat Packing { get; } = packing;

    /// <summary>What this machine lacks, or null: without it a kernel gives the same result, slowly.</summary>
    public virtual string? Missing => Name.Isa.IsAccelerated ? null : $"{Name.Isa} is not hardware accelerated here";

    /// <summary>Whether it can run here at all, if slowly: portable vectors can anywhere.</summary>
    public virtual bool CanRun => true;

    /// <summary>Bytes of scratch memory, aligned to 64, that a call with K inputs needs. One call at a time may use it.</summary>
    public virtual int ScratchBytes(int k) => 0;
}

/// <summary>
/// acc[m,n] = SUM_k w[n,k] * (q[m,k] - 128), exactly, in int32, or int64 where the name says so. Writes M x N elements and no others; reads
/// neither beyond K in a row of activations nor beyond the packed weights.
/// </summary>
abstract class IntegerKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    public abstract void Run(in IntegerOperands operands);

    /// <summary>Bytes of scratch memory, aligned to 64, for the layer form of <see cref="Run(in LinearOperands, RowOps)"/>.</summary>
    public virtual long ScratchBytes(int m, int n, int k) => AlignedBuffer.Align(ScratchBytes(k)) + AlignedBuffer.Align((long)m * n * Name.AccumulatorBytes);

    /// <summary>
    /// A whole linear layer: out = epilogue((float)(acc[m,n] - offset[n]) * (sx[m] * sw[n]) + bias[n]), each operation rounded on its own. Here step by step,
    /// which defines the bits; generated kernels do it before the accumulators leave their registers.
    /// </summary>
    /// <param name="o">The layer.</param>
    /// <param name="rows">The row operations that the epilogue is made of.</param>
    public virtual unsafe void Run(in LinearOperands o, RowOps rows)
    {
        var accumulators = o.Scratch + AlignedBuffer.Align(ScratchBytes(o.K));
        Run(new IntegerOperands
        {
            M = o.M, N = o.N, K = o.K, Activations = o.Activations, ActivationStride = o.ActivationStride, Weights = o.Weights,
            Output = accumulators, OutputStride = o.N, Scratch = o.Scratch,
        });
        for (var m = 0; m < o.M; m++)
        {
            var acc = accumulators + (long)m * o.N * Name.AccumulatorBytes;
            var output = o.Output + m * o.OutputStride;
            var inPlace = o.Epilogue is Epilogue.AddResidual or Epilogue.QuantizeHeads;
            var y = inPlace ? (float*)acc : output;
            if (Name.Acc == NumberType.I64) Dequantize(o, m, (long*)acc, y, rows);
            else Dequantize(o, m, (int*)acc, y, rows);
            if (o.Epilogue == Epilogue.Gelu) rows.Gelu(y, o.N, output);
            else if (o.Epilogue == Epilogue.TableGelu) rows.TableGelu(y, o.N, output);
            else if (o.Epilogue == Epilogue.AddResidual) rows.Add(y, o.N, output);
            else if (o.Epilogue == Epilogue.QuantizeHeads) QuantizeHeads(o, m, y, rows);
            if (o.RowMaxima is not null) Measure(o, m, rows);
        }
    }

    static unsafe void Dequantize(in LinearOperands o, int m, int* acc, float* y, RowOps rows)
    {
        for (var n = 0; o.Offsets is not null && n < o.N; n++) acc[n] -= o.Offsets[n];
        rows.Dequantize(acc, o.RowScales[m], o.ColumnScales, o.Bias, o.N, y);
    }

    /// <summary>The floats may take the place of the sums, which are longer.</summary>
    static unsafe void Dequantize(in LinearOperands o, int m, long* acc, float* y, RowOps rows)
    {
        for (var n = 0; o.Offsets is not null && n < o.N; n++) acc[n] -= o.Offsets[n];
        rows.Dequantize(acc, o.RowScales[m], o.ColumnScales, o.Bias, o.N, y);
    }

    /// <summary>Keeps the largest magnitude of a complete row of outputs.</summary>
    protected static unsafe void Measure(in LinearOperands o, int m, RowOps rows)
    {
        var maxima = o.RowMaxima + (nint)m * RowOps.MaximumLanes;
        *maxima = rows.Measure(o.Output + m * o.OutputStride, o.N, *maxima);
    }

    /// <summary>Quantises the heads of a row of outputs.</summary>
    protected static unsafe void QuantizeHeads(in LinearOperands o, int m, float* y, RowOps rows)
    {
        var output = (byte*)o.Output + m * o.OutputStride;
        var d = o.Heads.HeadSize;
        for (var h = 0; h < o.N / d; h++) o.Heads.Scales[m + h * o.Heads.Stride] = rows.Quantize(y + h * d, d, output + h * d);
    }
}

/// <summary>
/// c[m,n] = SUM_k a[m,k] * b[n,k] in float32: starting from 0, k ascending, each step one <see cref="float.MultiplyAddEstimate"/>. The bits
/// of an output depend on neither M, N nor the place in a tile. Writes M x N elements and no others. Where the weights are P4, b is their
/// values and Weights points at their codes.
/// </summary>
abstract class FloatKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    public abstract void Run(in FloatOperands operands);
}

/// <summary>
/// y[m,n] = -SUM_k |(q[m,k] - 128) - w[n,k]|, exactly, in int32: AdderNet's layer. Otherwise as <see cref="IntegerKernel"/>.
/// </summary>
abstract class DistanceKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    public abstract void Run(in IntegerOperands operands);
}

/// <summary>
/// c[m,n] = SUM_k a[m,k] * b[n,k], exactly, in int32, of codes +1 (bit 1) and -1 (bit 0): K - 2 popcount(a xor b). For codes {0,1} the
/// popcount of AND is (c + 2 popcount(a) + 2 popcount(b) - K) / 4. Writes M x N elements and no others.
/// </summary>
abstract class BitKernel(KernelName name, string schedule, PackFormat packing) : Kernel(name, schedule, packing)
{
    public abstract void Run(in BitOperands operands);
}

/// <summary>
/// Strides are in elements. To compute only the outputs from n0 on, n0 a multiple of Nr, advance Weights by n0 / Nr panels and Output
/// by n0.
/// </summary>
unsafe struct IntegerOperands
{
    public required int M, N, K;

    /// <summary>q [M,K].</summary>
    public required byte* Activations;
    public required nint ActivationStride;

    /// <summary>w [N,K] in the kernel's order.</summary>
    public required byte* Weights;

    /// <summary>acc [M,N], of the type of the kernel's accumulators.</summary>
    public required void* Output;
    public required nint OutputStride;

    /// <summary><see cref="Kernel.ScratchBytes"/> bytes.</summary>
    public required byte* Scratch;
}

/// <summary>A linear layer on quantised rows; as <see cref="IntegerOperands"/> otherwise.</summary>
unsafe struct LinearOperands
{
    public required int M, N, K;

    /// <summary>q [M,K].</summary>
    public required byte* Activations;
    public required nint ActivationStride;

    /// <summary>sx [M].</summary>
    public required float* RowScales;

    /// <summary>w [N,K] in the kernel's order.</summary>
    public required byte* Weights;

    /// <summary>[N], or null for none.</summary>
    public int* Offsets;

    /// <summary>sw [N].</summary>
    public required float* ColumnScales;

    /// <summary>[N].</summary>
    public required float* Bias;

    /// <summary>[M,N]; read as well by <see cref="Epilogue.AddResidual"/>. Bytes for <see cref="Epilogue.QuantizeHeads"/>.</summary>
    public required float* Output;
    public required nint OutputStride;
    public required Epilogue Epilogue;

    /// <summary>For <see cref="Epilogue.QuantizeHeads"/>.</summary>
    public HeadScales Heads;

    /// <summary>What is read after the weights, or null: a kernel may begin to bring it into the cache.</summary>
    public byte* Next;

    /// <summary>
    /// [M,16], 0 before, or null: afterwards the largest lane of row m is max_n |out[m,n]|. Not for <see cref="Epilogue.QuantizeHeads"/>.
    /// </summary>
    public float* RowMaxima;

    /// <summary><see cref="IntegerKernel.ScratchBytes(int, int, int)"/> bytes.</summary>
    public required byte* Scratch;
}

/// <summary>Where the scales of quantised heads go.</summary>
unsafe struct HeadScales
{
    /// <summary>D, which divides N.</summary>
    public required int HeadSize;

    /// <summary>s of row m and head h at m + h * Stride.</summary>
    public required float* Scales;
    public required nint Stride;
}

/// <summary>As <see cref="IntegerOperands"/>.</summary>
unsafe struct FloatOperands
{
    public required int M, N, K;

    /// <summary>a [M,K].</summary>
    public required float* Activations;
    public required nint ActivationStride;

    /// <summary>b [N,K] in the kernel's order.</summary>
    public required float* Weights;

    /// <summary>c [M,N].</summary>
    public required float* Output;
    public required nint OutputStride;

    /// <summary><see cref="Kernel.ScratchBytes"/> bytes.</summary>
    public required byte* Scratch;
}

/// <summary>As <see cref="IntegerOperands"/>; a row of codes is ceil(K / 32) words, input k is bit k % 32 of word k / 32, bits beyond K are 0.</summary>
unsafe struct BitOperands
{
    public required int M, N, K;

    /// <summary>a [M,K].</summary>
    public required uint* Activations;

    /// <summary>In words.</summary>
    public required nint ActivationStride;

    /// <summary>b [N,K] in the kernel's order.</summary>
    public required uint* Weights;

    /// <summary>c [M,N].</summary>
    public required int* Output;
    public required nint OutputStride;
}
