using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

/// <summary>One K^T V whose operands all end at a guard page; rows of its result have gaps between them. Values are [N,D].</summary>
sealed unsafe record AddTokensCase(int Tokens, int Bits, int HeadSize, ulong[] Codes, sbyte[] Values)
{
    const int OutputGap = 5;

    public static AddTokensCase Random(Random random, int tokens, int bits, int headSize) =>
        new(
            tokens, bits, headSize, RandomCodes(random, tokens, bits),
            [.. KernelRows.RandomWeights(random, WeightFormat.S8, tokens * headSize).Select(value => (sbyte)value)]);

    /// <summary>Bits from I on are 0.</summary>
    public static ulong[] RandomCodes(Random random, int tokens, int bits)
    {
        var codes = new ulong[tokens];
        random.NextBytes(MemoryMarshal.AsBytes(codes.AsSpan()));
        foreach (ref var code in codes.AsSpan()) code &= ulong.MaxValue >> 64 - bits;
        return codes;
    }

    /// <summary>A [I,D], token by token.</summary>
    public int[] Expected()
    {
        var sums = new int[Bits * HeadSize];
        for (var t = 0; t < Tokens; t++)
            for (var i = 0; i < Bits; i++)
                if ((Codes[t] & 1UL << i) != 0)
                    for (var d = 0; d < HeadSize; d++) sums[i * HeadSize + d] += Values[t * HeadSize + d];
        return sums;
    }

    /// <summary>Runs a kernel and returns A [I,D], having checked that nothing else was written.</summary>
    public int[] Run(AddTokensKernel kernel)
    {
        using var codes = GuardedMemory.Of<ulong>(Codes);
        using var values = GuardedMemory.Of<byte>(Pack(kernel.Packing));
        using var output = new GuardedMemory(((Bits - 1L) * (HeadSize + OutputGap) + HeadSize) * sizeof(int));
        using var scratch = new GuardedMemory(kernel.ScratchBytes(Tokens));
        kernel.Run(new()
        {
            Tokens = Tokens, Bits = Bits, HeadSize = HeadSize, Codes = (ulong*)codes.Pointer, Values = values.Pointer,
            Output = (int*)output.Pointer, OutputStride = HeadSize + OutputGap, Scratch = scratch.Pointer,
        });
        return Collect(output.As<int>(), Bits, HeadSize, OutputGap);
    }

    /// <summary>The order as <see cref="PackFormat"/> documents it, a byte at a time.</summary>
    byte[] Pack(PackFormat order)
    {
        var inputs = ValuePacking.Inputs(Tokens);
        var packed = new byte[order.ByteLength(HeadSize, inputs)];
        for (var t = 0; t < Tokens; t++)
            for (var d = 0; d < HeadSize; d++)
            {
                var at = d / order.Nr * order.PanelBytes(inputs) + (t / order.KGroup * order.Nr + d % order.Nr) * order.KGroup + t % order.KGroup;
                packed[at] = (byte)Values[t * HeadSize + d];
            }
        return packed;
    }

    /// <summary>Rows without the gaps, in which nothing may be written.</summary>
    public static int[] Collect(ReadOnlySpan<int> output, int rows, int width, int gap)
    {
        var result = new int[rows * width];
        for (var row = 0; row < rows; row++)
        {
            var line = output[(row * (width + gap))..];
            line[..width].CopyTo(result.AsSpan(row * width));
            if (row < rows - 1) Assert.Equal(-1, line.Slice(width, gap).IndexOfAnyExcept(unchecked((int)0xA5A5A5A5)));
        }
        return result;
    }
}
