using System.Diagnostics;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>Times kernels on one shape: quantised rows to float outputs for integer kernels, floats to floats for the others.</summary>
sealed unsafe class LinearTimer : ICandidateTimer
{
    /// <summary>A sample calls a kernel so often that it takes about so long: far longer than reading the clock.</summary>
    const double SampleMicroseconds = 40;

    /// <summary>Microseconds that make a call too long to be called twice for one sample.</summary>
    const double LongestWarmedUp = 50_000;

    readonly LinearShape _shape;
    readonly SyntheticLinear[] _linears;
    readonly int[] _repetitions;
    readonly AlignedBuffer _input;
    readonly AlignedBuffer _rowScales;
    readonly AlignedBuffer _output;
    readonly AlignedBuffer _scratch;

    public LinearTimer(KernelRegistry registry, LinearShape shape, IEnumerable<Kernel> kernels)
    {
        _shape = shape;
        _linears = [.. kernels.Select(kernel => new SyntheticLinear(shape, kernel, registry.Rows))];
        _repetitions = new int[_linears.Length];
        // Floats for float kernels; for the others their bytes, which are as random.
        _input = SyntheticLinear.RandomFloats(shape.M * shape.K);
        _rowScales = SyntheticLinear.RandomFloats(shape.M);
        _output = new((long)shape.M * shape.N * sizeof(float));
        _scratch = new(_linears.Max(linear => linear.ScratchBytes));
    }

    public double Sample(int candidate)
    {
        var linear = _linears[candidate];
        ref var repetitions = ref _repetitions[candidate];
        if (repetitions == 0)
        {
            // The first call makes the code; where that does not matter, it is a sample.
            var first = Time(linear, 1);
            if (first > LongestWarmedUp) return first;
            repetitions = (int)Math.Clamp(Math.Ceiling(SampleMicroseconds / Time(linear, 1)), 1, SampleMicroseconds);
        }
        return Time(linear, repetitions);
    }

    public void Dispose()
    {
        foreach (var linear in _linears) linear.Dispose();
        foreach (var buffer in (AlignedBuffer[])[_input, _rowScales, _output, _scratch]) buffer.Dispose();
    }

    /// <summary>Microseconds a call.</summary>
    double Time(SyntheticLinear linear, int repetitions)
    {
        var output = (float*)_output.Pointer;
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < repetitions; i++)
            if (linear.Kernel is FloatKernel) linear.Run((float*)_input.Pointer, _shape.M, output, _scratch.Pointer);
            else linear.Run(_input.Pointer, (float*)_rowScales.Pointer, _shape.M, output, Epilogue.Store, _scratch.Pointer);
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / repetitions;
    }
}
