using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference;

/// <summary>A linear layer bound to the kernel that runs it here, its weights in that kernel's order.</summary>
sealed unsafe class CompiledLinear : CompiledLayer, IDisposable
{
    readonly Kernel _kernel;
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
    /// <param name="product">What multiplying is called in a time budget; null for what the layer's role says.</param>
    public CompiledLinear(Linear linear, KernelRegistry registry, TunedChoices tuned, int headSize, Work? product = null)
        : base(linear.Name, linear.Outputs, linear.Inputs, registry)
    {
        _kernel = tuned.Kernel(registry, ModelShapes.Of(linear, headSize));
        _product = product ?? ProductOf(linear.Role);
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

    CompiledLinear(CompiledLinear whole, int first, int outputs) : base(whole.Name, outputs, whole.Inputs, whole.Registry)
    {
        (_kernel, _weights, _scales, _bias) = (whole._kernel, whole._weights, whole._scales, whole._bias);
        (_first, _product) = (first, whole._product);
        _next = first + outputs == whole.Outputs ? whole._next : Weights + _kernel.Packing.ByteLength(outputs, Inputs);
    }

    /// <inheritdoc/>
    public override bool IsInteger => _kernel is IntegerKernel;

    /// <summary>The kernel's name, for reports.</summary>
    public string KernelName => _kernel.Name.ToString();

    protected override Work Quantizing => _product == Work.Embedding ? Work.Patches : Work.Quantize;

    /// <summary>A view of some outputs; null where they do not begin a panel. Valid as long as this layer.</summary>
    public CompiledLinear? Part(int first, int outputs) => first % _kernel.Packing.Nr == 0 ? new(this, first, outputs) : null;

    /// <summary>Says which layer runs after this one. Before any part is taken.</summary>
    public void RunsBefore(CompiledLinear next) => _next = next.Weights;

    /// <inheritdoc/>
    public override long ProductBytes(int m) => _kernel is IntegerKernel integer
        ? integer.ScratchBytes(m, Outputs, Inputs)
        : Align((long)m * Outputs * sizeof(float)) + Align(_kernel.ScratchBytes(Inputs));

    /// <inheritdoc/>
    public override void Multiply(in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima = null)
    {
        TimeBudget.Enter(_product);
        if (IsInteger) MultiplyBytes(rows, output, stride, epilogue, default, scratch, maxima);
        else MultiplyFloats((FloatKernel)_kernel, rows, output, stride, epilogue, scratch);
    }

    /// <summary>The second half of <see cref="CompiledLayer.ApplyNormed"/>, for integer kernels: the outputs of rows that it left in the scratch.</summary>
    /// <param name="prepared">How many rows it left there.</param>
    /// <param name="m">How many of them are multiplied, from the first on.</param>
    /// <param name="output">[M,N], for <see cref="Epilogue.Store"/>.</param>
    /// <param name="stride">Elements from one row of the output to the next.</param>
    /// <param name="scratch">The same scratch.</param>
    public void Store(int prepared, int m, float* output, nint stride, byte* scratch) =>
        Multiply(Prepared(null, prepared, scratch) with { Count = m }, output, stride, Epilogue.Store, scratch + RowBytes(prepared));

    /// <summary>As <see cref="Store"/>, each head quantised on its own.</summary>
    public void QuantizeHeads(int prepared, int m, byte* output, nint stride, in HeadScales heads, byte* scratch)
    {
        TimeBudget.Enter(_product);
        var rows = Prepared(null, prepared, scratch) with { Count = m };
        MultiplyBytes(rows, (float*)output, stride, Epilogue.QuantizeHeads, heads, scratch + RowBytes(prepared), maxima: null);
    }

    /// <summary>As <see cref="Store"/>, each head as a code: the word of row m and head h at m + h * stride.</summary>
    public void Encode(int prepared, int m, ulong* codes, nint stride, in HeadScales heads, byte* scratch)
    {
        TimeBudget.Enter(_product);
        var rows = Prepared(null, prepared, scratch) with { Count = m };
        MultiplyBytes(rows, (float*)codes, stride, Epilogue.Codes, heads, scratch + RowBytes(prepared), maxima: null);
    }

    public void Dispose()
    {
        _weights.Dispose();
        _scales?.Dispose();
        _bias.Dispose();
    }

    byte* Weights => _weights.Pointer + _first / _kernel.Packing.Nr * _kernel.Packing.PanelBytes(Inputs);

    float* Bias => (float*)_bias.Pointer + _first;

    void MultiplyBytes(in LayerRows rows, float* output, nint stride, Epilogue epilogue, in HeadScales heads, byte* scratch, float* maxima)
    {
        var operands = new LinearOperands
        {
            M = rows.Count, N = Outputs, K = Inputs, Activations = rows.Quantised, ActivationStride = Inputs, RowScales = rows.Scales,
            Weights = Weights, ColumnScales = (float*)_scales!.Pointer + _first, Bias = Bias,
            Output = output, OutputStride = stride, Epilogue = epilogue, Heads = heads, Targets = rows.Targets, RowMaxima = maxima, Next = _next,
            Scratch = scratch,
        };
        ((IntegerKernel)_kernel).Run(operands, Rows);
    }

    void MultiplyFloats(FloatKernel kernel, in LayerRows rows, float* output, nint outputStride, Epilogue epilogue, byte* scratch)
    {
        var (m, targets) = (rows.Count, rows.Targets);
        var inPlace = epilogue != Epilogue.AddResidual && !targets.AreGiven;
        var y = inPlace ? output : (float*)scratch;
        var stride = inPlace ? outputStride : Outputs;
        kernel.Run(new()
        {
            M = m, N = Outputs, K = Inputs, Activations = rows.Values, ActivationStride = Inputs, Weights = (float*)Weights,
            Output = y, OutputStride = stride, Scratch = scratch + Align((long)m * Outputs * sizeof(float)),
        });
        for (var row = 0; row < m; row++, y += stride)
        {
            Rows.Add(Bias, Outputs, y);
            if (targets.AreGiven) Rows.Scale(y, targets.Gates[row], Outputs);
            Finish(y, output + targets.Row(row) * outputStride, epilogue);
        }
    }

    /// <summary>out = epilogue(y), for a row.</summary>
    void Finish(float* y, float* output, Epilogue epilogue)
    {
        if (epilogue == Epilogue.AddResidual) Rows.Add(y, Outputs, output);
        else if (epilogue == Epilogue.Gelu) Rows.Gelu(y, Outputs, output);
        else if (epilogue == Epilogue.TableGelu) Rows.TableGelu(y, Outputs, output);
        else if (y != output) new ReadOnlySpan<float>(y, Outputs).CopyTo(new(output, Outputs));
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
}
