using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// What trials of a shape that take turns read and write in common, so that each finds it in the same cache: activations of a type, and outputs.
/// </summary>
/// <param name="shape">M, K and N.</param>
sealed class TrialMemory(MatrixShape shape) : IDisposable
{
    readonly Dictionary<NumberType, AlignedBuffer> _activations = [];
    readonly Lazy<AlignedBuffer> _longOutput = new(() => new((long)shape.M * shape.N * sizeof(long)));

    /// <summary>[M,N], of four bytes each.</summary>
    public AlignedBuffer Output { get; } = new((long)shape.M * shape.N * sizeof(int));

    /// <summary>[M,N], of the bytes of a kernel's accumulators.</summary>
    public AlignedBuffer OutputOf(KernelName kernel) => kernel.AccumulatorBytes == sizeof(long) ? _longOutput.Value : Output;

    /// <summary>Activations of a type, which are the same for every trial.</summary>
    public AlignedBuffer Activations(NumberType type, ReadOnlySpan<byte> rows)
    {
        if (_activations.TryGetValue(type, out var found)) return found;
        var made = _activations[type] = new(rows.Length, clear: false);
        rows.CopyTo(made.AsSpan<byte>());
        return made;
    }

    public void Dispose()
    {
        Output.Dispose();
        if (_longOutput.IsValueCreated) _longOutput.Value.Dispose();
        foreach (var buffer in _activations.Values) buffer.Dispose();
    }
}
