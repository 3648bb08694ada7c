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
/// <param name="Scales">[N], positive.</param>
public sealed record QuantizedWeight(WeightPlane Plane, Tensor Scales) : LinearWeight
{
    /// <inheritdoc/>
    public override int Outputs => Plane.Rows;

    /// <inheritdoc/>
    public override int Inputs => Plane.Columns;

    /// <inheritdoc/>
    public override WeightFormat Format => Plane.Format;

    /// <inheritdoc/>
    public override double BitsPerWeight => 8.0 * (Plane.Codes.Length + sizeof(float) * Outputs) / ((double)Outputs * Inputs);

    /// <inheritdoc/>
    public override Tensor ToFloat32()
    {
        var values = new float[Outputs * Inputs];
        var integers = new sbyte[Inputs];
        for (var n = 0; n < Outputs; n++)
        {
            Plane.DecodeRow(n, integers);
            var row = values.AsSpan(n * Inputs, Inputs);
            for (var k = 0; k < Inputs; k++) row[k] = Scales.Values[n] * integers[k];
        }
        return new(new(Outputs, Inputs), values);
    }
}
