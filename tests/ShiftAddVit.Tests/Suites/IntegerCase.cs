using System.Numerics;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

/// <summary>One product [M,K] x [N,K] whose operands all end at a guard page, and whose rows have gaps between them.</summary>
sealed unsafe record IntegerCase(int M, int N, int K, byte[] Activations, short[] Weights)
{
    const int ActivationGap = 3, OutputGap = 5;

    public static IntegerCase Random(Random random, Kernel kernel, int m, int n, int k) => new(m, n, k,
        KernelRows.RandomActivations(random, m * k), KernelRows.RandomWeights(random, KernelRows.FormatOf(kernel), n * k));

    /// <summary>The first rows and outputs of the same operands.</summary>
    public IntegerCase Corner(int m, int n) => this with { M = m, N = n };

    /// <summary>Runs a kernel and returns [M,N], having checked that nothing else was written.</summary>
    public long[] Run(Kernel kernel)
    {
        using var weights = Pack(kernel);
        return Run(kernel, weights);
    }

    /// <summary>The weights in a kernel's order; they serve every number of rows.</summary>
    public GuardedMemory Pack(Kernel kernel)
    {
        using var packed = kernel.Packing.Pack(WeightPlane.Encode(KernelRows.FormatOf(kernel), N, K, Weights.AsSpan(0, N * K)));
        return GuardedMemory.Of<byte>(packed.AsSpan<byte>());
    }

    public long[] Run(Kernel kernel, GuardedMemory weights)
    {
        using var activations = Spread(Activations);
        using var output = new GuardedMemory((long)Length(N, N + OutputGap) * kernel.Name.AccumulatorBytes);
        using var scratch = new GuardedMemory(kernel.ScratchBytes(K));
        var operands = new IntegerOperands
        {
            M = M,
            N = N,
            K = K,
            Activations = activations.Pointer,
            ActivationStride = K + ActivationGap,
            Weights = weights.Pointer,
            Output = output.Pointer,
            OutputStride = N + OutputGap,
            Scratch = scratch.Pointer,
        };
        if (kernel is IntegerKernel integer) integer.Run(operands);
        else ((DistanceKernel)kernel).Run(operands);
        return kernel.Name.Acc == NumberType.I64
            ? Collect(output.As<long>(), unchecked((long)0xA5A5A5A5A5A5A5A5)) : Collect(output.As<int>(), unchecked((int)0xA5A5A5A5));
    }

    /// <summary>From the first element to the last of M rows.</summary>
    int Length(int width, int stride) => M == 0 ? 0 : (M - 1) * stride + width;

    GuardedMemory Spread(byte[] rows)
    {
        var memory = new GuardedMemory(Length(K, K + ActivationGap));
        for (var m = 0; m < M; m++) rows.AsSpan(m * K, K).CopyTo(memory.Bytes[(m * (K + ActivationGap))..]);
        return memory;
    }

    long[] Collect<T>(ReadOnlySpan<T> output, T untouched) where T : unmanaged, IBinaryInteger<T>
    {
        var result = new long[M * N];
        for (var m = 0; m < M; m++)
        {
            var row = output[(m * (N + OutputGap))..];
            for (var n = 0; n < N; n++) result[m * N + n] = long.CreateChecked(row[n]);
            if (m < M - 1) Assert.Equal(-1, row.Slice(N, OutputGap).IndexOfAnyExcept(untouched));
        }
        return result;
    }
}
