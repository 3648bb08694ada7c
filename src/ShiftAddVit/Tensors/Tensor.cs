namespace ShiftAddVit.Tensors;

/// <summary>A dense float32 tensor in row-major order. Immutable: its values can be read, never written.</summary>
public sealed class Tensor
{
    readonly float[] _values;

    /// <summary>Wraps <paramref name="values"/> without a copy; the caller hands them over and must not write to them afterwards.</summary>
    /// <exception cref="ArgumentException">The number of values is not the shape's number of elements.</exception>
    public Tensor(Shape shape, float[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        if (values.Length != shape.ElementCount)
            throw new ArgumentException($"{values.Length} values for shape {shape}", nameof(values));
        Shape = shape;
        _values = values;
    }

    /// <summary>The extents, outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>The elements in row-major order.</summary>
    public ReadOnlySpan<float> Values => _values;

    /// <summary>The elements in row-major order, as memory that outlives the call.</summary>
    public ReadOnlyMemory<float> Memory => _values;

    /// <summary>The same elements under another shape.</summary>
    /// <exception cref="ArgumentException">The numbers of elements differ.</exception>
    public Tensor Reshape(Shape shape) => new(shape, _values);

    /// <summary>The shape, for a debugger.</summary>
    public override string ToString() => $"F32[{Shape}]";
}
