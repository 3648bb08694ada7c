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
    readonly AttentionOps _attention;
    readonly AlignedBuffer _weights;
    readonly AlignedBuffer _columns;

    /// <param name="shape">The shape; its M is the most rows of a call.</param>
    /// <param name="kernel">The kernel that runs it.</param>
    /// <param name="rows">The row operations of epilogues.</param>
    /// <param name="attention">What quantises heads where the kernel does not.</param>
    public SyntheticLinear(LinearShape shape, Kernel kernel, RowOps rows, AttentionOps attention)
    {
        (_shape, Kernel, _rows, _attention) = (shape, kernel, rows, attention);
        _weights = TrialData.Random(kernel.Name, new(1, shape.K, shape.N), Seed).Pack(kernel);
        // Scales, then biases.
        _columns = RandomFloats(2 * shape.N);
        foreach (ref var value in _columns.AsSpan<float>()) value *= Scale;
    }

    public Kernel Kernel { get; }

    /// <summary>Bytes of scratch that a call needs.</summary>
    public long ScratchBytes => ResultBytes + AlignedBuffer.Align(
        Kernel is IntegerKernel integer ? integer.ScratchBytes(_shape.M, _shape.N, _shape.K) : Kernel.ScratchBytes(_shape.K));

    /// <summary>What a call leaves besides its outputs: largest magnitudes [M,16]; or scales of heads, and bytes and floats [M,C] of each part.</summary>
    long ResultBytes => _shape.Output switch
    {
        LinearOutput.Gelu => AlignedBuffer.Align((long)_shape.M * RowOps.MaximumLanes * sizeof(float)),
        LinearOutput.Heads => HeadScaleBytes + HeadBytes + AlignedBuffer.Align((long)_shape.M * Part * sizeof(float)),
        _ => 0,
    };

    long HeadScaleBytes => AlignedBuffer.Align(2L * _shape.M * (Part / _shape.HeadSize) * sizeof(float));

    long HeadBytes => AlignedBuffer.Align(2L * _shape.M * Part);

    /// <summary>C, the outputs of queries, of keys and of values.</summary>
    int Part => _shape.N / 3;

    /// <summary>The layer as it runs in a model, on rows of U8; of floats where the kernel takes those.</summary>
    /// <param name="x">[M,K].</param>
    /// <param name="scales">sx [M], not for floats.</param>
    /// <param name="m">M.</param>
    /// <param name="output">[M,N].</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes; begins with <see cref="RowOps.MaximumLanes"/> magnitudes of each row after gelu.</param>
    public void Run(byte* x, float* scales, int m, float* output, byte* scratch)
    {
        var rest = scratch + ResultBytes;
        if (Kernel is FloatKernel kernel) kernel.Run(new()
        {
            M = m, N = _shape.N, K = _shape.K, Activations = (float*)x, ActivationStride = _shape.K, Weights = (float*)_weights.Pointer,
            Output = output, OutputStride = _shape.N, Scratch = rest,
        });
        else if (_shape.Output == LinearOutput.Sums) ((IntegerKernel)Kernel).Run(new IntegerOperands
        {
            M = m, N = _shape.N, K = _shape.K, Activations = x, ActivationStride = _shape.K, Weights = _weights.Pointer,
            Output = (int*)output, OutputStride = _shape.N, Scratch = rest,
        });
        else if (_shape.Output == LinearOutput.Heads) RunParts(x, scales, m, output, scratch, rest);
        else if (_shape.Output == LinearOutput.Gelu)
        {
            new Span<float>(scratch, m * RowOps.MaximumLanes).Clear();
            Run(x, scales, m, output, Epilogue.TableGelu, rest, maxima: (float*)scratch);
        }
        else Run(x, scales, m, output, _shape.Output == LinearOutput.Residual ? Epilogue.AddResidual : Epilogue.Store, rest);
    }

    /// <summary>out = epilogue(W x + b) for rows of U8, all outputs alike.</summary>
    public void Run(
        byte* q, float* scales, int m, float* output, Epilogue epilogue, byte* scratch, HeadScales heads = default, float* maxima = null) =>
        Multiply(q, scales, m, 0, _shape.N, output, epilogue, scratch, heads, maxima);

    /// <summary>Where the kernel cannot cut the layer in three, it stores all of it, and heads are quantised and values taken over from there.</summary>
    void RunParts(byte* q, float* scales, int m, float* output, byte* results, byte* scratch)
    {
        var c = Part;
        var bytes = results + HeadScaleBytes;
        var values = (float*)(bytes + HeadBytes);
        var heads = new HeadScales { HeadSize = _shape.HeadSize, Scales = (float*)results, Stride = m };
        var keyHeads = heads with { Scales = heads.Scales + m * (c / heads.HeadSize) };
        if (c % Kernel.Packing.Nr == 0)
        {
            Multiply(q, scales, m, 0, c, (float*)bytes, Epilogue.QuantizeHeads, scratch, heads);
            Multiply(q, scales, m, c, c, (float*)(bytes + (nint)m * c), Epilogue.QuantizeHeads, scratch, keyHeads);
            Multiply(q, scales, m, 2 * c, c, values, Epilogue.Store, scratch);
            return;
        }
        Multiply(q, scales, m, 0, 3 * c, output, Epilogue.Store, scratch);
        Quantize(output, m, bytes, heads);
        Quantize(output + c, m, bytes + (nint)m * c, keyHeads);
        for (var row = 0; row < m; row++)
            new ReadOnlySpan<float>(output + ((nint)row * 3 + 2) * c, c).CopyTo(new(values + (nint)row * c, c));
    }

    void Quantize(float* x, int m, byte* q, in HeadScales heads) => _attention.QuantizeHeads(new()
    {
        Rows = m, Heads = Part / heads.HeadSize, HeadSize = heads.HeadSize,
        X = x, XStride = _shape.N, Q = q, QStride = Part, Scales = heads.Scales, ScaleStride = heads.Stride,
    });

    /// <summary>Some outputs, the first of which begins a panel; rows of the output are as long.</summary>
    void Multiply(
        byte* q, float* scales, int m, int first, int outputs, float* output, Epilogue epilogue, byte* scratch,
        HeadScales heads = default, float* maxima = null) => ((IntegerKernel)Kernel).Run(new()
        {
            M = m, N = outputs, K = _shape.K, Activations = q, ActivationStride = _shape.K, RowScales = scales,
            Weights = _weights.Pointer + first / Kernel.Packing.Nr * Kernel.Packing.PanelBytes(_shape.K),
            ColumnScales = (float*)_columns.Pointer + first, Bias = (float*)_columns.Pointer + _shape.N + first, Output = output, OutputStride = outputs,
            Epilogue = epilogue, Heads = heads, RowMaxima = maxima, Scratch = scratch,
        }, _rows);

    /// <summary>Uniform in -1..1, the same every time.</summary>
    public static AlignedBuffer RandomFloats(int count) =>
        AlignedBuffer.Copy(MemoryMarshal.Cast<byte, float>(TrialData.Floats(new(Seed), count)));

    public void Dispose()
    {
        _weights.Dispose();
        _columns.Dispose();
    }
}
