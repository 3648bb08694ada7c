using System.Runtime.InteropServices;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

/// <summary>What is timed does what a layer of a model does.</summary>
public unsafe class SyntheticLinearTests
{
    const int M = 7, K = 40, C = 128;

    static readonly KernelRegistry Registry = new(KernelIsa.Avx512Vnni);
    static readonly LinearShape Heads = new(WeightFormat.S8, M, K, 3 * C, LinearOutput.Heads, HeadSize: 64);

    public static TheoryData<string> Names => [.. Registry.Usable(Heads).Select(kernel => $"{kernel.Name}")];

    static Kernel Kernel(string name) => Registry.Kernels.Single(kernel => $"{kernel.Name}" == name);

    /// <summary>Output and scratch after a call on the same random rows.</summary>
    static (byte[] Output, byte[] Scratch) Run(LinearShape shape, Kernel kernel)
    {
        using var linear = new SyntheticLinear(shape, kernel, Registry.Rows, Registry.Attention);
        using AlignedBuffer input = SyntheticLinear.RandomFloats(M * K), scales = SyntheticLinear.RandomFloats(M);
        using AlignedBuffer output = new((long)M * shape.N * sizeof(float)), scratch = new(linear.ScratchBytes);
        linear.Run(input.Pointer, (float*)scales.Pointer, M, (float*)output.Pointer, scratch.Pointer);
        return (output.AsSpan<byte>().ToArray(), scratch.AsSpan<byte>().ToArray());
    }

    /// <summary>Scales, bytes of queries and keys, values.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Heads_are_the_same_whether_the_kernel_cuts_the_layer_or_not(string name)
    {
        var expected = Run(Heads, Registry.ReferenceOf(Kernel(name))).Scratch;
        var length = (int)(AlignedBuffer.Align(2 * M * 2 * sizeof(float)) + AlignedBuffer.Align(2 * M * C) + M * C * sizeof(float));
        Assert.Contains(expected.Take(length), value => value != 0);
        Assert.Equal(expected.Take(length), Run(Heads, Kernel(name)).Scratch.Take(length));
    }

    [Theory, MemberData(nameof(Names))]
    public void Rows_are_measured_after_gelu(string name)
    {
        var (output, scratch) = Run(Heads with { Output = LinearOutput.Gelu, HeadSize = 0 }, Kernel(name));
        var y = MemoryMarshal.Cast<byte, float>(output);
        for (var row = 0; row < M; row++)
        {
            var largest = 0f;
            foreach (var value in y.Slice(row * 3 * C, 3 * C)) largest = Math.Max(largest, Math.Abs(value));
            var kept = 0f;
            foreach (var value in MemoryMarshal.Cast<byte, float>(scratch).Slice(row * RowOps.MaximumLanes, RowOps.MaximumLanes)) kept = Math.Max(kept, Math.Abs(value));
            Assert.Equal(largest, kept);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Residuals_add_up_and_others_do_not(string name)
    {
        using var linear = new SyntheticLinear(Heads with { Output = LinearOutput.Residual }, Kernel(name), Registry.Rows, Registry.Attention);
        var stored = MemoryMarshal.Cast<byte, float>(Run(Heads with { Output = LinearOutput.Stored }, Kernel(name)).Output).ToArray();
        var added = MemoryMarshal.Cast<byte, float>(Run(Heads with { Output = LinearOutput.Residual }, Kernel(name)).Output).ToArray();
        Assert.Equal(stored, added);
        using AlignedBuffer input = SyntheticLinear.RandomFloats(M * K), scales = SyntheticLinear.RandomFloats(M);
        using AlignedBuffer output = AlignedBuffer.Copy(stored), scratch = new(linear.ScratchBytes);
        linear.Run(input.Pointer, (float*)scales.Pointer, M, (float*)output.Pointer, scratch.Pointer);
        Assert.Equal(stored.Select(value => value + value), output.AsSpan<float>().ToArray());
    }
}
