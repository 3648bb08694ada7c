using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>A kernel with random operands of one shape, ready to be called again and again. For one thread.</summary>
public sealed unsafe class KernelTrial : ITrial
{
    /// <summary>Rows and outputs compared with the reference where there are more: both ends and some between.</summary>
    const int SampledRows = 7, SampledOutputs = 61;

    readonly Kernel _kernel;
    readonly Kernel _reference;
    readonly TrialData _data;
    readonly AlignedBuffer _activations, _weights, _output, _scratch;
    readonly TrialMemory? _owned;

    /// <param name="kernel">What is called.</param>
    /// <param name="reference">What defines its result.</param>
    /// <param name="data">Its operands.</param>
    /// <param name="memory">Of the caller, for trials that take turns; null for its own.</param>
    internal KernelTrial(Kernel kernel, Kernel reference, TrialData data, TrialMemory? memory = null)
    {
        (_kernel, _reference, _data) = (kernel, reference, data);
        memory ??= _owned = new(data.Shape);
        (_activations, _output) = (memory.Activations(kernel.Name.A, data.ActivationRows), memory.OutputOf(kernel.Name));
        _weights = data.Pack(kernel);
        _scratch = new(kernel is AddCodesKernel codes ? codes.ScratchBytes(Shape.K, Shape.N) : kernel.ScratchBytes(Shape.K));
    }

    /// <summary>Makes operands; kernels of the same types get the same ones.</summary>
    /// <param name="registry">The registry that knows the kernel.</param>
    /// <param name="kernel">A kernel that the registry does not refuse.</param>
    /// <param name="shape">M, K and N, each at least 1; of MatAdd the code bits of a token, M or K, at most 64.</param>
    /// <param name="seed">Which random operands.</param>
    /// <exception cref="ArgumentException">The registry has no such kernel, it can not run here, or it does not take the shape.</exception>
    public static KernelTrial Create(KernelRegistry registry, KernelName kernel, MatrixShape shape, int seed = 1) =>
        Create(registry, kernel, shape, memory: null, seed);

    internal static KernelTrial Create(KernelRegistry registry, KernelName kernel, MatrixShape shape, TrialMemory? memory, int seed = 1)
    {
        ArgumentNullException.ThrowIfNull(registry);
        var found = registry.Kernels.FirstOrDefault(it => it.Name == kernel);
        if (found is not { CanRun: true }) throw new ArgumentException($"{kernel} can not run here", nameof(kernel));
        if (!Takes(kernel, shape)) throw new ArgumentException($"{kernel} takes up to {AddTokensKernel.MaxBits} code bits", nameof(shape));
        return new(found, registry.ReferenceOf(found), TrialData.Random(kernel, shape, seed), memory);
    }

    static bool Takes(KernelName kernel, MatrixShape shape) =>
        kernel.Op != Operation.MatAdd || (kernel.B == NumberType.S8 ? shape.M : shape.K) <= AddTokensKernel.MaxBits;

    /// <summary>What is called.</summary>
    public KernelName Kernel => _kernel.Name;

    /// <summary>M, K and N.</summary>
    public MatrixShape Shape => _data.Shape;

    /// <summary>Calls the kernel once.</summary>
    public void Run()
    {
        switch (_kernel)
        {
            case IntegerKernel kernel: kernel.Run(IntegerOperands); break;
            case DistanceKernel kernel: kernel.Run(IntegerOperands); break;
            case FloatKernel kernel: kernel.Run(FloatOperands); break;
            case AddTokensKernel kernel: kernel.Run(AddTokensOperands); break;
            case AddCodesKernel kernel:
                kernel.Prepare(AddCodesOperands);
                kernel.Run(AddCodesOperands);
                break;
            default: ((BitKernel)_kernel).Run(BitOperands); break;
        }
    }

    /// <summary>
    /// Whether what the last call of <see cref="Run"/> wrote has the bits of the reference: all of it for small shapes, else some rows and
    /// outputs, both ends among them.
    /// </summary>
    public bool IsCorrect()
    {
        var (rows, outputs) = (Sample(Shape.M, _data.AddsTokens ? Shape.M : SampledRows), Sample(Shape.N, SampledOutputs));
        using var expected = new KernelTrial(_reference, _reference, _data.Select(rows, outputs));
        expected.Run();
        for (var i = 0; i < rows.Length; i++)
            for (var j = 0; j < outputs.Length; j++)
                if (!Element(rows[i] * Shape.N + outputs[j]).SequenceEqual(expected.Element(i * outputs.Length + j))) return false;
        return true;
    }

    /// <summary>Frees the operands.</summary>
    public void Dispose()
    {
        _owned?.Dispose();
        _weights.Dispose();
        _scratch.Dispose();
    }

    Span<byte> Element(int index) => new(_output.Pointer + (long)index * Kernel.AccumulatorBytes, Kernel.AccumulatorBytes);

    static int[] Sample(int count, int most) =>
        count <= most ? [.. Enumerable.Range(0, count)] : [.. Enumerable.Range(0, most).Select(i => (int)((long)i * (count - 1) / (most - 1)))];

    IntegerOperands IntegerOperands => new()
    {
        M = Shape.M, N = Shape.N, K = Shape.K, Activations = _activations.Pointer, ActivationStride = Shape.K, Weights = _weights.Pointer,
        Output = _output.Pointer, OutputStride = Shape.N, Scratch = _scratch.Pointer,
    };

    FloatOperands FloatOperands => new()
    {
        M = Shape.M, N = Shape.N, K = Shape.K, Activations = (float*)_activations.Pointer, ActivationStride = Shape.K,
        Weights = (float*)_weights.Pointer, Output = (float*)_output.Pointer, OutputStride = Shape.N, Scratch = _scratch.Pointer,
    };

    BitOperands BitOperands => new()
    {
        M = Shape.M, N = Shape.N, K = Shape.K, Activations = (uint*)_activations.Pointer, ActivationStride = (Shape.K + 31) / 32,
        Weights = (uint*)_weights.Pointer, Output = (int*)_output.Pointer, OutputStride = Shape.N,
    };

    AddTokensOperands AddTokensOperands => new()
    {
        Tokens = Shape.K, Bits = Shape.M, HeadSize = Shape.N, Codes = (ulong*)_activations.Pointer, Values = _weights.Pointer,
        Output = (int*)_output.Pointer, OutputStride = Shape.N, Scratch = _scratch.Pointer,
    };

    AddCodesOperands AddCodesOperands => new()
    {
        Tokens = Shape.M, Bits = Shape.K, HeadSize = Shape.N, Codes = (ulong*)_activations.Pointer, Sums = (int*)_weights.Pointer,
        SumStride = Shape.N, Output = (int*)_output.Pointer, OutputStride = Shape.N, Scratch = _scratch.Pointer,
    };
}
