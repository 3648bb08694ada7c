using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Operands of a matrix kernel before any kernel's order: rows of activations and of weights, as bytes. Activations are U8, F32 or
/// B1, weights floats for F32, words for B1 and otherwise the integers that their format holds.
/// </summary>
/// <param name="Weights">What the weights are.</param>
/// <param name="Shape">M, K and N.</param>
/// <param name="ActivationRows">[M,K].</param>
/// <param name="WeightRows">[N,K].</param>
sealed record TrialData(NumberType Weights, MatrixShape Shape, byte[] ActivationRows, byte[] WeightRows)
{
    /// <summary>Random operands for kernels that take these types: the same ones for the same types, shape and seed.</summary>
    public static TrialData Random(KernelName kernel, MatrixShape shape, int seed) =>
        new(kernel.B, shape, RandomRows(kernel.A, shape.M, shape.K, seed), RandomRows(kernel.B, shape.N, shape.K, ~seed));

    /// <summary>Random numbers of a type, K a row.</summary>
    public static byte[] RandomRows(NumberType type, int rows, int k, int seed) => type switch
    {
        NumberType.F32 => Floats(new(seed), rows * k),
        NumberType.B1 => Bits(new(seed), rows, k),
        NumberType.U8 => Bytes(new(seed), rows * k),
        _ => Integers(new(seed), Codebook.Of(Format(type)), rows * k),
    };

    /// <summary>The operands of some rows and outputs.</summary>
    public TrialData Select(int[] rows, int[] outputs) =>
        new(Weights, Shape with { M = rows.Length, N = outputs.Length },
            Select(ActivationRows, Shape.M, rows), Select(WeightRows, Shape.N, outputs));

    /// <summary>The weights in a kernel's order.</summary>
    public AlignedBuffer Pack(PackFormat packing) => Weights switch
    {
        NumberType.F32 => packing.Pack(Shape.N, Shape.K, MemoryMarshal.Cast<byte, float>(WeightRows)),
        NumberType.B1 => PackBits(packing),
        _ => packing.Pack(WeightPlane.Encode(Format(Weights), Shape.N, Shape.K, MemoryMarshal.Cast<byte, sbyte>(WeightRows))),
    };

    AlignedBuffer PackBits(PackFormat packing)
    {
        var packed = new AlignedBuffer(packing.ByteLength(Shape.N, Shape.K), clear: false);
        packing.PackBits(Shape.N, Shape.K, MemoryMarshal.Cast<byte, uint>(WeightRows), packed.AsSpan<uint>());
        return packed;
    }

    static WeightFormat Format(NumberType weights) => Enum.Parse<WeightFormat>(weights.ToString());

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
    public static byte[] Floats(Random random, int count)
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

    /// <summary>Rows of whole words whose bits beyond K are 0.</summary>
    static byte[] Bits(Random random, int rows, int k)
    {
        var words = (k + 31) / 32;
        var bytes = Bytes(random, rows * words * sizeof(uint));
        var bits = MemoryMarshal.Cast<byte, uint>(bytes.AsSpan());
        for (var row = 0; row < rows && k % 32 != 0; row++) bits[(row + 1) * words - 1] &= (1u << k % 32) - 1;
        return bytes;
    }
}
