using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>A linear layer of a shape with random weights in a kernel's order: what is timed in place of a model's.</summary>
sealed unsafe class SyntheticLinear : IDisposable
{
    /// <summary>Of the column scales: keeps the outputs of random weights near those of a model.</summary>
    const float Scale = 1e-4f;

    const int Seed = 1;

    readonly LinearShape _shape;
    readonly RowOps _rows;
    readonly AlignedBuffer _weights;
    readonly AlignedBuffer _columns;

    /// <param name="shape">The shape; its M is the most rows of a call.</param>
    /// <param name="kernel">The kernel that runs it.</param>
    /// <param name="rows">The row operations of epilogues.</param>
    public SyntheticLinear(LinearShape shape, Kernel kernel, RowOps rows)
    {
        (_shape, Kernel, _rows) = (shape, kernel, rows);
        _weights = TrialData.Random(kernel.Name, new(1, shape.K, shape.N), Seed).Pack(kernel);
        // Scales, then biases.
        _columns = RandomFloats(2 * shape.N);
        foreach (ref var value in _columns.AsSpan<float>()) value *= Scale;
    }

    public Kernel Kernel { get; }

    /// <summary>Bytes of scratch that a call needs.</summary>
    public long ScratchBytes => AlignedBuffer.Align(
        Kernel is IntegerKernel integer ? integer.ScratchBytes(_shape.M, _shape.N, _shape.K) : Kernel.ScratchBytes(_shape.K));

    /// <summary>out = epilogue(W x + b) for rows of U8.</summary>
    public void Run(byte* q, float* scales, int m, float* output, Epilogue epilogue, byte* scratch, HeadScales heads = default) =>
        ((IntegerKernel)Kernel).Run(new()
        {
            M = m, N = _shape.N, K = _shape.K, Activations = q, ActivationStride = _shape.K, RowScales = scales, Weights = _weights.Pointer,
            ColumnScales = (float*)_columns.Pointer, Bias = (float*)_columns.Pointer + _shape.N, Output = output, OutputStride = _shape.N,
            Epilogue = epilogue, Heads = heads, Scratch = scratch,
        }, _rows);

    /// <summary>out = W x for rows of floats.</summary>
    public void Run(float* x, int m, float* output, byte* scratch) => ((FloatKernel)Kernel).Run(new()
    {
        M = m, N = _shape.N, K = _shape.K, Activations = x, ActivationStride = _shape.K, Weights = (float*)_weights.Pointer,
        Output = output, OutputStride = _shape.N, Scratch = scratch,
    });

    /// <summary>Uniform in -1..1, the same every time.</summary>
    public static AlignedBuffer RandomFloats(int count) =>
        AlignedBuffer.Copy(MemoryMarshal.Cast<byte, float>(TrialData.Floats(new(Seed), count)));

    public void Dispose()
    {
        _weights.Dispose();
        _columns.Dispose();
    }
}
