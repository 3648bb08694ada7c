using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Operands of a matrix kernel before any kernel's order: rows of activations and of weights, as bytes. Activations are U8 or F32, weights
/// floats for F32 and otherwise the integers that their format holds.
/// </summary>
/// <param name="Weights">What the weights are.</param>
/// <param name="Shape">M, K and N.</param>
/// <param name="ActivationRows">[M,K].</param>
/// <param name="WeightRows">[N,K].</param>
sealed record TrialData(WeightFormat Weights, MatrixShape Shape, byte[] ActivationRows, byte[] WeightRows)
{
    /// <summary>Random operands for kernels that take these types: the same ones for the same types, shape and seed.</summary>
    public static TrialData Random(KernelName kernel, MatrixShape shape, int seed)
    {
        var random = new Random(seed);
        var weights = Enum.Parse<WeightFormat>(kernel.B.ToString());
        return new(
            weights, shape,
            kernel.A == NumberType.F32 ? Floats(random, shape.M * shape.K) : Bytes(random, shape.M * shape.K),
            weights == WeightFormat.F32 ? Floats(random, shape.N * shape.K) : Integers(random, Codebook.Of(weights), shape.N * shape.K));
    }

    /// <summary>The operands of some rows and outputs.</summary>
    public TrialData Select(int[] rows, int[] outputs) =>
        new(Weights, Shape with { M = rows.Length, N = outputs.Length },
            Select(ActivationRows, Shape.M, rows), Select(WeightRows, Shape.N, outputs));

    /// <summary>The weights in a kernel's order.</summary>
    public AlignedBuffer Pack(PackFormat packing) => Weights == WeightFormat.F32
        ? packing.Pack(Shape.N, Shape.K, MemoryMarshal.Cast<byte, float>(WeightRows))
        : packing.Pack(WeightPlane.Encode(Weights, Shape.N, Shape.K, MemoryMarshal.Cast<byte, sbyte>(WeightRows)));

    static byte[] Select(byte[] rows, int count, int[] chosen)
    {
        var length = rows.Length / count;
        return [.. chosen.SelectMany(row => rows.AsSpan(row * length, length).ToArray())];
    }

    static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Uniform in -1..1.</summary>
    static byte[] Floats(Random random, int count)
    {
        var bytes = new byte[count * sizeof(float)];
        foreach (ref var value in MemoryMarshal.Cast<byte, float>(bytes.AsSpan())) value = random.NextSingle() * 2 - 1;
        return bytes;
    }

    static byte[] Integers(Random random, Codebook codebook, int count)
    {
        var bytes = new byte[count];
        foreach (ref var value in bytes.AsSpan())
        {
            var magnitude = codebook.Magnitudes[random.Next(codebook.Magnitudes.Length)];
            value = (byte)(random.Next(2) == 0 ? magnitude : -magnitude);
        }
        return bytes;
    }
}
