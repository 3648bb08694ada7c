using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Operands of a matrix kernel before any kernel's order: rows of activations and of weights, as bytes. Activations are U8, F32 or
/// B1, weights floats for F32, words for B1, int32 for I32 and otherwise the integers that their format holds.
/// </summary>
/// <param name="Activations">What the activations are.</param>
/// <param name="Weights">What the weights are.</param>
/// <param name="Shape">M, K and N.</param>
/// <param name="ActivationRows">[M,K]; of MatAdd the codes of tokens, a word of 64 bits each: M tokens, or K where they are added.</param>
/// <param name="WeightRows">[N,K].</param>
sealed record TrialData(NumberType Activations, NumberType Weights, MatrixShape Shape, byte[] ActivationRows, byte[] WeightRows)
{
    /// <summary>Of int32 weights: that of a K^T V of so many tokens.</summary>
    const int MaxSum = 127 * 1000;

    /// <summary>Whether tokens are the inputs and rows their code bits: then every row is in every code.</summary>
    public bool AddsTokens => (Activations, Weights) is (NumberType.B1, NumberType.S8);

    /// <summary>Random operands for kernels that take these types: the same ones for the same types, shape and seed.</summary>
    public static TrialData Random(KernelName kernel, MatrixShape shape, int seed) =>
        new(kernel.A, kernel.B, shape, RandomActivations(kernel, shape, seed), RandomRows(kernel.B, shape.N, shape.K, ~seed));

    /// <summary>Random numbers of a type, K a row.</summary>
    public static byte[] RandomRows(NumberType type, int rows, int k, int seed) => type switch
    {
        NumberType.F32 => Floats(new(seed), rows * k),
        NumberType.B1 => Bits(new(seed), rows, k),
        NumberType.U8 => Bytes(new(seed), rows * k),
        NumberType.I32 => Sums(new(seed), rows * k),
        _ => Integers(new(seed), Codebook.Of(Format(type)), rows * k),
    };

    static byte[] RandomActivations(KernelName kernel, MatrixShape shape, int seed) => (kernel.A, kernel.B) switch
    {
        (NumberType.B1, NumberType.S8) => Codes(new(seed), shape.K, shape.M),
        (NumberType.B1, NumberType.I32) => Codes(new(seed), shape.M, shape.K),
        _ => RandomRows(kernel.A, shape.M, shape.K, seed),
    };

    /// <summary>The operands of some rows and outputs; of all rows where <see cref="AddsTokens"/>.</summary>
    public TrialData Select(int[] rows, int[] outputs) => this with
    {
        Shape = Shape with { M = rows.Length, N = outputs.Length },
        ActivationRows = AddsTokens ? ActivationRows : Select(ActivationRows, Shape.M, rows), WeightRows = Select(WeightRows, Shape.N, outputs),
    };

    /// <summary>The weights in a kernel's order.</summary>
    public AlignedBuffer Pack(Kernel kernel) => Weights switch
    {
        NumberType.F32 => kernel.Packing.Pack(Shape.N, Shape.K, MemoryMarshal.Cast<byte, float>(WeightRows)),
        NumberType.B1 => PackBits(kernel.Packing),
        NumberType.I32 => Transpose(),
        _ when AddsTokens => PackBytes(kernel.Packing, ValuePacking.Inputs(Shape.K)),
        _ => PackBytes(kernel.Packing, Shape.K),
    };

    /// <summary>Inputs from K on are 0.</summary>
    AlignedBuffer PackBytes(PackFormat packing, int inputs)
    {
        var rows = new short[Shape.N * inputs];
        for (var n = 0; n < Shape.N; n++)
            MemoryMarshal.Cast<byte, short>(WeightRows).Slice(n * Shape.K, Shape.K).CopyTo(rows.AsSpan(n * inputs));
        return packing.Pack(WeightPlane.Encode(Format(Weights), Shape.N, inputs, rows));
    }

    /// <summary>[K,N].</summary>
    AlignedBuffer Transpose()
    {
        var transposed = new AlignedBuffer(WeightRows.Length, clear: false);
        var from = MemoryMarshal.Cast<byte, int>(WeightRows);
        var to = transposed.AsSpan<int>();
        for (var i = 0; i < to.Length; i++) to[i] = from[i % Shape.N * Shape.K + i / Shape.N];
        return transposed;
    }

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

    static byte[] Sums(Random random, int count)
    {
        var bytes = new byte[count * sizeof(int)];
        foreach (ref var value in MemoryMarshal.Cast<byte, int>(bytes.AsSpan())) value = random.Next(-MaxSum, MaxSum + 1);
        return bytes;
    }

    /// <summary>Words of 64 bits whose bits beyond those used are 0.</summary>
    static byte[] Codes(Random random, int count, int bits)
    {
        var bytes = Bytes(random, count * sizeof(ulong));
        foreach (ref var code in MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan())) code &= ulong.MaxValue >> AddTokensKernel.MaxBits - bits;
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
