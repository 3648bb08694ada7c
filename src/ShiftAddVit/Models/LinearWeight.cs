using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>The weight matrix [N,K] of a linear layer, N outputs by K inputs.</summary>
public abstract record LinearWeight
{
    /// <summary>N, the number of outputs.</summary>
    public abstract int Outputs { get; }

    /// <summary>K, the number of inputs.</summary>
    public abstract int Inputs { get; }

    /// <summary>How the weights are represented.</summary>
    public abstract WeightFormat Format { get; }

    /// <summary>Bits that a weight takes in a file, its share of the row scales included.</summary>
    public abstract double BitsPerWeight { get; }

    /// <summary>The weights as float32 [N,K].</summary>
    public abstract Tensor ToFloat32();
}

/// <summary>Float32 weights.</summary>
/// <param name="Values">[N,K].</param>
public sealed record DenseWeight(Tensor Values) : LinearWeight
{
    /// <inheritdoc/>
    public override int Outputs => Values.Shape[0];

    /// <inheritdoc/>
    public override int Inputs => Values.Shape[1];

    /// <inheritdoc/>
    public override WeightFormat Format => WeightFormat.F32;

    /// <inheritdoc/>
    public override double BitsPerWeight => HalfPrecision.IsExact(Values.Values) ? 16 : 32;

    /// <inheritdoc/>
    public override Tensor ToFloat32() => Values;
}

/// <summary>Integer weights with one scale a row: weight[n,k] = scale[n] * integer[n,k].</summary>
/// <param name="Plane">The integers [N,K] in their compact codes.</param>
/// <param name="Scales">[N], positive; where the scale is part of the format (P5), that for each row.</param>
public sealed record QuantizedWeight(WeightPlane Plane, Tensor Scales) : LinearWeight
{
    /// <summary>Integers of a format that has a scale of its own.</summary>
    /// <exception cref="ArgumentException">Rows of the format have scales.</exception>
    public QuantizedWeight(WeightPlane plane) : this(plane, FormatScales(plane))
    {
    }

    /// <summary>[N], positive.</summary>
    /// <exception cref="ArgumentException">The format has another scale of its own.</exception>
    public Tensor Scales { get; } = Fitting(Plane, Scales);

    /// <inheritdoc/>
    public override int Outputs => Plane.Rows;

    /// <inheritdoc/>
    public override int Inputs => Plane.Columns;

    /// <inheritdoc/>
    public override WeightFormat Format => Plane.Format;

    /// <summary>Bytes that the codes, and the scales that the format does not say, take in a file.</summary>
    public long ByteLength => Plane.Codes.Length + (Codebook.Of(Format).Scale is null ? (long)sizeof(float) * Outputs : 0);

    /// <inheritdoc/>
    public override double BitsPerWeight => 8.0 * ByteLength / ((double)Outputs * Inputs);

    /// <inheritdoc/>
    public override Tensor ToFloat32()
    {
        var values = new float[Outputs * Inputs];
        var integers = new short[Inputs];
        for (var n = 0; n < Outputs; n++)
        {
            Plane.DecodeRow(n, integers);
            var row = values.AsSpan(n * Inputs, Inputs);
            for (var k = 0; k < Inputs; k++) row[k] = Scales.Values[n] * integers[k];
        }
        return new(new(Outputs, Inputs), values);
    }

    static Tensor FormatScales(WeightPlane plane) => Codebook.Of(plane.Format).Scale is { } scale
        ? new(new(plane.Rows), [.. Enumerable.Repeat(scale, plane.Rows)])
        : throw new ArgumentException($"rows of {plane.Format} have scales", nameof(plane));

    static Tensor Fitting(WeightPlane plane, Tensor scales) => Codebook.Of(plane.Format).Scale is { } scale && scales.Values.ContainsAnyExcept(scale)
        ? throw new ArgumentException($"rows of {plane.Format} have the scale {scale}", nameof(scales))
        : scales;
}
