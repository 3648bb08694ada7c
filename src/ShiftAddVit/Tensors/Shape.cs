using System.Collections.Immutable;

namespace ShiftAddVit.Tensors;

/// <summary>The extents of a tensor, outermost first. Compared by value; a scalar has rank 0 and one element.</summary>
public readonly struct Shape : IEquatable<Shape>
{
    readonly ImmutableArray<int> _extents;
    readonly int _elements;

    /// <summary>Creates a shape from its extents, outermost first.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An extent is negative, or the number of elements exceeds 2^31 - 1.</exception>
    public Shape(params ReadOnlySpan<int> extents)
    {
        foreach (var extent in extents) ArgumentOutOfRangeException.ThrowIfNegative(extent);
        // A zero anywhere makes the product 0, however large what stands before it.
        long elements = extents.Contains(0) ? 0 : 1;
        foreach (var extent in extents)
        {
            elements *= extent;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(elements, int.MaxValue, nameof(extents));
        }
        _extents = [.. extents];
        _elements = (int)elements;
    }

    /// <summary>The extents, outermost first.</summary>
    public ImmutableArray<int> Extents => _extents.IsDefault ? [] : _extents;

    /// <summary>How many extents there are.</summary>
    public int Rank => Extents.Length;

    /// <summary>The product of the extents; 1 for a scalar.</summary>
    public int ElementCount => Rank == 0 ? 1 : _elements;

    /// <summary>The extent of one axis.</summary>
    public int this[int axis] => Extents[axis];

    /// <inheritdoc/>
    public bool Equals(Shape other) => Extents.AsSpan().SequenceEqual(other.Extents.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var extent in Extents) hash.Add(extent);
        return hash.ToHashCode();
    }

    /// <summary>The extents joined by x: <c>192x3x16x16</c>; <c>scalar</c> for rank 0.</summary>
    public override string ToString() => Rank == 0 ? "scalar" : string.Join('x', Extents);

    /// <summary>Whether both have the same extents.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Whether the extents differ.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);
}
