using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference;

/// <summary>A linear layer bound to the kernel that runs it here, its weights in that kernel's order.</summary>
sealed unsafe class CompiledLinear : CompiledLayer
{
    readonly Kernel _kernel;
    readonly RowOps _rows;
    readonly RowBlockOps _blocks;
    readonly AlignedBuffer _weights;
    readonly AlignedBuffer? _scales;
    readonly AlignedBuffer _bias;

    /// <summary>What multiplying by the weights is called in a time budget.</summary>
    readonly Work _product;

    /// <summary>Weights that are read after these.</summary>
    byte* _next;

    /// <summary>The first output, for a part of another layer, whose memory it shares.</summary>
    readonly int _first;

    /// <param name="linear">The layer; not needed afterwards.</param>
    /// <param name="registry">The kernels.</param>
    /// <param name="tuned">Which of them is fastest where.</param>
    /// <param name="headSize">D of the model.</param>
    public CompiledLinear(Linear linear, KernelRegistry registry, TunedChoices tuned, int headSize) : base(linear.Name, linear.Outputs, linear.Inputs)
    {
        _rows = registry.Rows;
        _kernel = tuned.Kernel(registry, ModelShapes.Of(linear, headSize));
        (_blocks, _product) = (registry.Blocks, ProductOf(linear.Role));
        _bias = linear.Bias is { } bias ? AlignedBuffer.Copy(bias.Values) : new((long)Outputs * sizeof(float));
        if (linear.Weight is QuantizedWeight quantised)
        {
            _weights = _kernel.Packing.Pack(quantised.Plane);
            _scales = AlignedBuffer.Copy(quantised.Scales.Values);
        }
        else
        {
            _weights = _kernel.Packing.Pack(Outputs, Inputs, linear.Weight.ToFloat32().Values);
        }
    }

    CompiledLinear(CompiledLinear whole, int first, int outputs) : base(whole.Name, outputs, whole.Inputs)
    {
        (_rows, _blocks, _kernel) = (whole._rows, whole._blocks, whole._kernel);
        (_weights, _scales, _bias) = (whole._weights, whole._scales, whole._bias);
        (_first, _product) = (first, whole._product);
        _next = first + outputs == whole.Outputs ? whole._next : Weights + _kernel.Packing.ByteLength(outputs, Inputs);
    }

    /// <inheritdoc/>
    public override bool IsInteger => _kernel is IntegerKernel;

    /// <summary>The kernel's name, for reports.</summary>
    public string KernelName => _kernel.Name.ToString();

    /// <summary>A view of some outputs; null where they do not begin a panel. Valid as long as this layer.</summary>
    public CompiledLinear? Part(int first, int outputs) => first % _kernel.Packing.Nr == 0 ? new(this, first, outputs) : null;

    /// <summary>Says which layer runs after this one. Before any part is taken.</summary>
    public void RunsBefore(CompiledLinear next) => _next = next.Weights;

    /// <inheritdoc/>
    public override long ScratchBytes(int m) => _kernel is IntegerKernel integer
        ? Align((long)m * Inputs) + Align((long)m * sizeof(float)) + integer.ScratchBytes(m, Outputs, Inputs)
        : Align((long)m * Outputs * sizeof(float)) + Align(_kernel.ScratchBytes(Inputs));

    /// <inheritdoc/>
    public override void Apply(float* x, int m, float* output, nint outputStride, Epilogue epilogue, byte* scratch, float* maxima = null)
    {
        if (!IsInteger)
        {
            ApplyFloat((FloatKernel)_kernel, x, m, output, outputStride, epilogue, scratch);
            return;
        }
        TimeBudget.Enter(_product == Work.Embedding ? Work.Patches : Work.Quantize);
        _blocks.Quantize(x, m, Inputs, scratch, Scales(m, scratch), maxima);
        ApplyInteger(m, output, outputStride, epilogue, scratch);
    }

    /// <inheritdoc/>
    public override void ApplyNormed(
        float* x, CompiledNorm norm, int m, float* output, nint outputStride, Epilogue epilogue, float* normed, byte* scratch, float* maxima = null)
    {
        Normalize(x, norm, m, normed, scratch);
        if (IsInteger) ApplyInteger(m, output, outputStride, epilogue, scratch, maxima);
        else ApplyFloat((FloatKernel)_kernel, normed, m, output, outputStride, epilogue, scratch);
    }

    /// <summary>The first half of <see cref="ApplyNormed"/>, which serves all parts of a layer: norms and, where the kernel takes integers, quantises.</summary>
    public void Normalize(float* x, CompiledNorm norm, int m, float* normed, byte* scratch)
    {
        TimeBudget.Enter(Work.Norm);
        var (gamma, beta) = ((nint)norm.Gamma.Pointer, (nint)norm.Beta.Pointer);
        var operands = new NormOperands { Length = Inputs, Gamma = (float*)gamma, Beta = (float*)beta, Epsilon = norm.Epsilon };
        if (IsInteger) _blocks.LayerNormQuantize(x, m, operands, normed, scratch, Scales(m, scratch));
        else
            for (var row = 0; row < m; row++)
                _rows.LayerNorm(x + (long)row * Inputs, operands.Gamma, operands.Beta, norm.Epsilon, Inputs, normed + (long)row * Inputs);
    }

    /// <summary>The second half, for integer kernels: the outputs of rows that <see cref="Normalize"/> left in the scratch.</summary>
    /// <param name="prepared">How many rows it left there.</param>
    /// <param name="m">How many of them are multiplied, from the first on.</param>
    /// <param name="output">[M,N], for <see cref="Epilogue.Store"/>.</param>
    /// <param name="stride">Elements from one row of the output to the next.</param>
    /// <param name="scratch">The same scratch.</param>
    public void Store(int prepared, int m, float* output, nint stride, byte* scratch) =>
        Multiply(prepared, m, output, stride, Epilogue.Store, default, scratch);

    /// <summary>As <see cref="Store"/>, each head quantised on its own.</summary>
    public void QuantizeHeads(int prepared, int m, byte* output, nint stride, in HeadScales heads, byte* scratch) =>
        Multiply(prepared, m, (float*)output, stride, Epilogue.QuantizeHeads, heads, scratch);

    /// <summary>As <see cref="Store"/>, each head as a code: the word of row m and head h at m + h * stride.</summary>
    public void Encode(int prepared, int m, ulong* codes, nint stride, in HeadScales heads, byte* scratch) =>
        Multiply(prepared, m, (float*)codes, stride, Epilogue.Codes, heads, scratch);

    /// <inheritdoc/>
    public override void Dispose()
    {
        _weights.Dispose();
        _scales?.Dispose();
        _bias.Dispose();
    }

    /// <summary>The scales of the quantised rows, which begin the scratch.</summary>
    float* Scales(int m, byte* scratch) => (float*)(scratch + Align((long)m * Inputs));

    void ApplyInteger(int m, float* output, nint outputStride, Epilogue epilogue, byte* scratch, float* maxima = null) =>
        Multiply(m, m, output, outputStride, epilogue, default, scratch, maxima);

    void Multiply(int prepared, int m, float* output, nint stride, Epilogue epilogue, in HeadScales heads, byte* scratch, float* maxima = null)
    {
        TimeBudget.Enter(_product);
        var scales = Scales(prepared, scratch);
        var operands = new LinearOperands
        {
            M = m, N = Outputs, K = Inputs, Activations = scratch, ActivationStride = Inputs, RowScales = scales,
            Weights = Weights, ColumnScales = (float*)_scales!.Pointer + _first, Bias = (float*)_bias.Pointer + _first,
            Output = output, OutputStride = stride, Epilogue = epilogue, Heads = heads, RowMaxima = maxima, Next = _next,
            Scratch = (byte*)scales + Align((long)prepared * sizeof(float)),
        };
        ((IntegerKernel)_kernel).Run(operands, _rows);
    }

    byte* Weights => _weights.Pointer + _first / _kernel.Packing.Nr * _kernel.Packing.PanelBytes(Inputs);

    void ApplyFloat(FloatKernel kernel, float* x, int m, float* output, nint outputStride, Epilogue epilogue, byte* scratch)
    {
        TimeBudget.Enter(_product);
        var inPlace = epilogue != Epilogue.AddResidual;
        var y = inPlace ? output : (float*)scratch;
        var stride = inPlace ? outputStride : Outputs;
        kernel.Run(new()
        {
            M = m, N = Outputs, K = Inputs, Activations = x, ActivationStride = Inputs, Weights = (float*)Weights,
            Output = y, OutputStride = stride, Scratch = scratch + Align((long)m * Outputs * sizeof(float)),
        });
        var bias = (float*)_bias.Pointer + _first;
        for (var row = 0; row < m; row++, y += stride, output += outputStride)
        {
            _rows.Add(bias, Outputs, y);
            if (epilogue == Epilogue.AddResidual) _rows.Add(y, Outputs, output);
            else if (epilogue == Epilogue.Gelu) _rows.Gelu(y, Outputs, y);
            else if (epilogue == Epilogue.TableGelu) _rows.TableGelu(y, Outputs, y);
        }
    }

    static Work ProductOf(LinearRole role) => role switch
    {
        LinearRole.PatchEmbedding => Work.Embedding,
        LinearRole.Qkv => Work.Qkv,
        LinearRole.Projection => Work.Projection,
        LinearRole.Fc1 => Work.Fc1,
        LinearRole.Fc2 => Work.Fc2,
        LinearRole.KeyBias => Work.KeyBias,
        _ => Work.Head,
    };

    static long Align(long bytes) => AlignedBuffer.Align(bytes);
}
