using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>A whole linear layer with an epilogue on random rows, ready to be called again and again. For one thread.</summary>
sealed unsafe class LinearTrial : ITrial
{
    const int HeadSize = TunedChoices.HeadSize;

    /// <summary>Rows compared with the reference where there are more.</summary>
    const int SampledRows = 7;

    static readonly RowOps ScalarRows = new(KernelIsa.Reference);

    readonly MatrixShape _shape;
    readonly SyntheticLinear _linear, _reference;
    readonly AlignedBuffer _activations, _rowScales, _before, _output, _headScales, _scratch;

    /// <param name="registry">The registry that knows the kernel.</param>
    /// <param name="kernel">A kernel that can run here.</param>
    /// <param name="shape">M, K and N.</param>
    /// <param name="epilogue">One that <see cref="Allows"/> allows.</param>
    /// <param name="memory">Of the caller.</param>
    public LinearTrial(KernelRegistry registry, IntegerKernel kernel, MatrixShape shape, Epilogue epilogue, TrialMemory memory)
    {
        (_shape, Epilogue, _output) = (shape, epilogue, memory.Output);
        var layer = new LinearShape(Enum.Parse<WeightFormat>($"{kernel.Name.B}"), shape.M, shape.K, shape.N);
        _linear = new(layer, kernel, registry.Rows, registry.Attention);
        _reference = new(layer with { M = 1 }, registry.ReferenceOf(kernel), ScalarRows, registry.Attention);
        _activations = memory.Activations(NumberType.U8, TrialData.RandomRows(NumberType.U8, shape.M, shape.K, seed: 1));
        (_rowScales, _before) = (SyntheticLinear.RandomFloats(shape.M), SyntheticLinear.RandomFloats(shape.M * shape.N));
        _headScales = new((long)shape.M * Heads * sizeof(float));
        _scratch = new(Math.Max(_linear.ScratchBytes, _reference.ScratchBytes));
    }

    public KernelName Kernel => _linear.Kernel.Name;

    public Epilogue Epilogue { get; }

    /// <summary>Whether a layer of a shape can have an epilogue.</summary>
    public static bool Allows(MatrixShape shape, Epilogue epilogue) => epilogue != Epilogue.QuantizeHeads || shape.N % HeadSize == 0;

    int Heads => Math.Max(_shape.N / HeadSize, 1);

    public void Run() => Run(_linear, 0, _shape.M, _output, _headScales);

    /// <summary>Runs once more, as residuals add up from call to call.</summary>
    public bool IsCorrect()
    {
        using AlignedBuffer expected = new(_output.ByteLength, clear: false), scales = new(_headScales.ByteLength);
        foreach (var target in (AlignedBuffer[])[expected, _output]) _before.AsSpan<byte>().CopyTo(target.AsSpan<byte>());
        Run();
        foreach (var row in Enumerable.Range(0, SampledRows).Select(i => i * (_shape.M - 1) / (SampledRows - 1)).Distinct())
        {
            Run(_reference, row, 1, expected, scales);
            if (!Row(expected, row).SequenceEqual(Row(_output, row)) || !HeadsOf(scales, row).SequenceEqual(HeadsOf(_headScales, row))) return false;
        }
        return true;
    }

    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_linear, _reference, _rowScales, _before, _headScales, _scratch]) owned.Dispose();
    }

    int ElementBytes => Epilogue == Epilogue.QuantizeHeads ? sizeof(byte) : sizeof(float);

    void Run(SyntheticLinear linear, int row, int count, AlignedBuffer output, AlignedBuffer headScales) => linear.Run(
        _activations.Pointer + (long)row * _shape.K, (float*)_rowScales.Pointer + row, count,
        (float*)(output.Pointer + (long)row * _shape.N * ElementBytes), Epilogue, _scratch.Pointer,
        new() { HeadSize = HeadSize, Scales = (float*)headScales.Pointer + row, Stride = _shape.M });

    Span<byte> Row(AlignedBuffer output, int row) => output.AsSpan<byte>().Slice(row * _shape.N * ElementBytes, _shape.N * ElementBytes);

    float[] HeadsOf(AlignedBuffer scales, int row) => [.. Enumerable.Range(0, Heads).Select(head => scales.AsSpan<float>()[row + head * _shape.M])];
}
