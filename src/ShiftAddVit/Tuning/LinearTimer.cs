using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>Times kernels on one shape, as the layer runs in a model: from quantised rows for integer kernels, from floats for the others.</summary>
sealed unsafe class LinearTimer : ICandidateTimer
{
    readonly SyntheticLinear[] _linears;
    readonly Sampler[] _samplers;
    readonly AlignedBuffer _input;
    readonly AlignedBuffer _rowScales;
    readonly AlignedBuffer _output;
    readonly AlignedBuffer _scratch;

    public LinearTimer(KernelRegistry registry, LinearShape shape, IEnumerable<Kernel> kernels)
    {
        _linears = [.. kernels.Select(kernel => new SyntheticLinear(shape, kernel, registry.Rows, registry.Attention))];
        // Floats for float kernels; for the others their bytes, which are as random.
        _input = SyntheticLinear.RandomFloats(shape.M * shape.K);
        _rowScales = SyntheticLinear.RandomFloats(shape.M);
        _output = new((long)shape.M * shape.N * sizeof(float));
        _scratch = new(_linears.Max(linear => linear.ScratchBytes));
        _samplers = [.. _linears.Select(linear => new Sampler(
            () => linear.Run(_input.Pointer, (float*)_rowScales.Pointer, shape.M, (float*)_output.Pointer, _scratch.Pointer)))];
    }

    public double Sample(int candidate) => _samplers[candidate].Sample();

    public void Dispose()
    {
        foreach (var linear in _linears) linear.Dispose();
        foreach (var buffer in (AlignedBuffer[])[_input, _rowScales, _output, _scratch]) buffer.Dispose();
    }
}
