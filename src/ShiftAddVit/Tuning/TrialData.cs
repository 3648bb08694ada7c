using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Operands of a matrix kernel before any kernel's order: rows of activations and of weights, as bytes. Activations are U8, F32 or
/// B1, weights floats for F32, words for B1 and otherwise int16, the integers that their format holds.
/// </summary>
/// <param name="Weights">What the weights are.</param>
/// <param name="Shape">M, K and N.</param>
/// <param name="ActivationRows">[M,K].</param>
/// <param name="WeightRows">[N,K].</param>
sealed record TrialData(NumberType Weights, MatrixShape Shape, byte[] ActivationRows, byte[] WeightRows)
{
    /// <summary>Random operands for kernels that take these types: the same ones for the same types, shape and seed.</summary>
    public static TrialData Random(KernelName kernel, MatrixShape shape, int seed)
    {
        var random = new Random(seed);
        return new(
            kernel.B, shape,
            kernel.A switch
            {
                NumberType.F32 => Floats(random, shape.M * shape.K),
                NumberType.B1 => Bits(random, shape.M, shape.K),
                _ => Bytes(random, shape.M * shape.K),
            },
            kernel.B switch
            {
                NumberType.F32 => Floats(random, shape.N * shape.K),
                NumberType.B1 => Bits(random, shape.N, shape.K),
                _ => Integers(random, Codebook.Of(Format(kernel.B)), shape.N * shape.K),
            });
    }

    /// <summary>The operands of some rows and outputs.</summary>
    public TrialData Select(int[] rows, int[] outputs) =>
        new(Weights, Shape with { M = rows.Length, N = outputs.Length },
            Select(ActivationRows, Shape.M, rows), Select(WeightRows, Shape.N, outputs));

    /// <summary>The weights in a kernel's order.</summary>
    public AlignedBuffer Pack(PackFormat packing) => Weights switch
    {
        NumberType.F32 => packing.Pack(Shape.N, Shape.K, MemoryMarshal.Cast<byte, float>(WeightRows)),
        NumberType.B1 => PackBits(packing),
        _ => packing.Pack(WeightPlane.Encode(Format(Weights), Shape.N, Shape.K, MemoryMarshal.Cast<byte, short>(WeightRows))),
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
        var bytes = new byte[count * sizeof(short)];
        foreach (ref var value in MemoryMarshal.Cast<byte, short>(bytes.AsSpan()))
        {
            var magnitude = codebook.Magnitudes[random.Next(codebook.Magnitudes.Length)];
            value = (short)(random.Next(2) == 0 ? magnitude : -magnitude);
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
