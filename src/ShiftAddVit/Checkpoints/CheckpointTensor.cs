using ShiftAddVit.Tensors;

namespace ShiftAddVit.Checkpoints;

/// <summary>What a checkpoint says about one tensor; its values are read by <see cref="Checkpoint.ReadFloat32(string)"/>.</summary>
public sealed class CheckpointTensor
{
    /// <summary>More axes than any framework writes; bounds the work that one entry can ask for.</summary>
    internal const int MaxRank = 64;

    internal CheckpointTensor(string name, ElementType elementType, Shape shape, long offset, long[]? strides = null)
    {
        (Name, ElementType, Shape, Offset) = (name, elementType, shape, offset);
        Strides = strides is null || IsRowMajor(shape, strides) ? null : strides;
    }

    /// <summary>The name in the file, for PyTorch files without a leading <c>module.</c>.</summary>
    public string Name { get; }

    /// <summary>How the file stores the elements.</summary>
    public ElementType ElementType { get; }

    /// <summary>The extents, outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>Where the first element lies, in bytes from the start of the file.</summary>
    internal long Offset { get; }

    /// <summary>Elements from one index to the next, for each axis; null for a dense row-major tensor.</summary>
    internal long[]? Strides { get; }

    /// <summary>Elements from the first one to the one with row-major index <paramref name="index"/>.</summary>
    internal long Position(int index)
    {
        if (Strides is null) return index;
        long position = 0;
        for (var axis = Shape.Rank - 1; axis >= 0; axis--)
        {
            (index, var along) = Math.DivRem(index, Shape[axis]);
            position += along * Strides[axis];
        }
        return position;
    }

    /// <summary>The name, type and shape: <c>head.weight F32[1000x192]</c>.</summary>
    public override string ToString() => $"{Name} {ElementType}[{Shape}]";

    /// <summary>A shape from the extents that a file claims.</summary>
    /// <exception cref="InvalidDataException">An extent is negative, or there are more than 2^31 - 1 elements.</exception>
    internal static Shape ClaimedShape(string tensor, ReadOnlySpan<long> extents)
    {
        Span<int> narrow = stackalloc int[MaxRank];
        if (extents.Length > MaxRank) throw new InvalidDataException($"tensor {ErrorText.Quote(tensor)} has more than {MaxRank} axes");
        for (var axis = 0; axis < extents.Length; axis++)
        {
            if (extents[axis] is < 0 or > int.MaxValue) throw BadShape(tensor, extents);
            narrow[axis] = (int)extents[axis];
        }
        try
        {
            return new Shape(narrow[..extents.Length]);
        }
        catch (ArgumentOutOfRangeException)
        {
            throw BadShape(tensor, extents);
        }
    }

    static InvalidDataException BadShape(string tensor, ReadOnlySpan<long> extents) =>
        new($"tensor {ErrorText.Quote(tensor)} has shape {string.Join('x', extents.ToArray())}; "
            + "allowed are extents of at least 0 and at most 2^31 - 1 elements");

    static bool IsRowMajor(Shape shape, long[] strides)
    {
        long expected = 1;
        for (var axis = shape.Rank - 1; axis >= 0; axis--)
        {
            if (shape[axis] != 1 && strides[axis] != expected) return false;
            expected *= shape[axis];
        }
        return true;
    }
}
