using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference;

/// <summary>A linear layer bound to the kernel that runs it here, its weights in that kernel's order.</summary>
sealed unsafe class CompiledLinear : IDisposable
{
    readonly Kernel _kernel;
    readonly RowOps _rows;
    readonly AlignedBuffer _weights;
    readonly AlignedBuffer? _scales;
    readonly AlignedBuffer _bias;

    public CompiledLinear(Linear linear, KernelRegistry registry)
    {
        (Name, Outputs, Inputs, _rows) = (linear.Name, linear.Weight.Outputs, linear.Weight.Inputs, registry.Rows);
        _bias = linear.Bias is { } bias ? AlignedBuffer.Copy(bias.Values) : new((long)Outputs * sizeof(float));
        if (linear.Weight is QuantizedWeight quantised)
        {
            _kernel = registry.Integer(quantised.Format);
            _weights = _kernel.Packing.Pack(quantised.Plane);
            _scales = AlignedBuffer.Copy(quantised.Scales.Values);
        }
        else
        {
            _kernel = registry.Float;
            _weights = _kernel.Packing.Pack(Outputs, Inputs, linear.Weight.ToFloat32().Values);
        }
    }

    public string Name { get; }

    /// <summary>N.</summary>
    public int Outputs { get; }

    /// <summary>K.</summary>
    public int Inputs { get; }

    /// <summary>The kernel's name, for reports.</summary>
    public string KernelName => _kernel.Name.ToString();

    /// <summary>Bytes of scratch that <see cref="Apply"/> needs for M rows.</summary>
    public long ScratchBytes(int m) => _kernel is IntegerKernel integer
        ? Align((long)m * Inputs) + Align((long)m * sizeof(float)) + integer.ScratchBytes(m, Outputs, Inputs)
        : Align((long)m * Outputs * sizeof(float)) + Align(_kernel.ScratchBytes(Inputs));

    /// <summary>out[m,n] = epilogue(SUM_k W[n,k] x[m,k] + b[n]); x is quantised row by row where the kernel takes integers.</summary>
    /// <param name="x">[M,K], rows of K.</param>
    /// <param name="m">M.</param>
    /// <param name="output">[M,N], rows of N.</param>
    /// <param name="epilogue">What becomes of the sums.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, aligned.</param>
    public void Apply(float* x, int m, float* output, Epilogue epilogue, byte* scratch)
    {
        if (_kernel is IntegerKernel integer) ApplyInteger(integer, x, m, output, epilogue, scratch);
        else ApplyFloat((FloatKernel)_kernel, x, m, output, epilogue, scratch);
    }

    public void Dispose()
    {
        _weights.Dispose();
        _scales?.Dispose();
        _bias.Dispose();
    }

    void ApplyInteger(IntegerKernel kernel, float* x, int m, float* output, Epilogue epilogue, byte* scratch)
    {
        var q = scratch;
        var scales = (float*)(q + Align((long)m * Inputs));
        for (var row = 0; row < m; row++) scales[row] = _rows.Quantize(x + (long)row * Inputs, Inputs, q + (long)row * Inputs);
        var operands = new LinearOperands
        {
            M = m, N = Outputs, K = Inputs, Activations = q, ActivationStride = Inputs, RowScales = scales,
            Weights = _weights.Pointer, ColumnScales = (float*)_scales!.Pointer, Bias = (float*)_bias.Pointer,
            Output = output, OutputStride = Outputs, Epilogue = epilogue, Scratch = (byte*)scales + Align((long)m * sizeof(float)),
        };
        kernel.Run(operands, _rows);
    }

    void ApplyFloat(FloatKernel kernel, float* x, int m, float* output, Epilogue epilogue, byte* scratch)
    {
        var y = epilogue == Epilogue.AddResidual ? (float*)scratch : output;
        kernel.Run(new()
        {
            M = m, N = Outputs, K = Inputs, Activations = x, ActivationStride = Inputs, Weights = (float*)_weights.Pointer,
            Output = y, OutputStride = Outputs, Scratch = scratch + Align((long)m * Outputs * sizeof(float)),
        });
        var bias = (float*)_bias.Pointer;
        for (var row = 0; row < m; row++) _rows.Add(bias, Outputs, y + (long)row * Outputs);
        var length = m * Outputs;
        if (epilogue == Epilogue.AddResidual) _rows.Add(y, length, output);
        else if (epilogue == Epilogue.Gelu) _rows.Gelu(y, length, output);
        else if (epilogue == Epilogue.TableGelu) _rows.TableGelu(y, length, output);
    }

    static long Align(long bytes) => AlignedBuffer.Align(bytes);
}
