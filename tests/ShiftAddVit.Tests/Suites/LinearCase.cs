using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Suites;

/// <summary>One linear layer whose operands all end at a guard page, and whose rows have gaps between them.</summary>
sealed unsafe record LinearCase(IntegerCase Product, float[] RowScales, float[] ColumnScales, float[] Bias, float[] Residual)
{
    const int ActivationGap = 3, OutputGap = 5;

    /// <summary>[N], or none.</summary>
    public int[] Offsets { get; init; } = [];

    /// <summary>A permutation of the rows, and a gate for each, or none.</summary>
    public int[] Targets { get; init; } = [];

    public float[] Gates { get; init; } = [];

    int M => Product.M;

    int N => Product.N;

    int K => Product.K;

    /// <summary>Outputs of a few units, where gelu bends.</summary>
    public static LinearCase Random(Random random, Kernel kernel, int m, int n, int k)
    {
        var product = IntegerCase.Random(random, kernel, m, n, k);
        var scale = 100 / (Codebook.Of(KernelRows.FormatOf(kernel)).Max * MathF.Sqrt(k * 100_000f));
        return new(product, KernelRows.RandomFloats(random, m, scale), KernelRows.RandomFloats(random, n),
            KernelRows.RandomFloats(random, n), KernelRows.RandomFloats(random, m * n));
    }

    /// <summary>The same layer, its rows sent elsewhere.</summary>
    public LinearCase Scattered(Random random)
    {
        var targets = Enumerable.Range(0, M).ToArray();
        random.Shuffle(targets);
        return this with { Targets = targets, Gates = KernelRows.RandomFloats(random, M) };
    }

    /// <summary>The first rows and outputs of the same layer.</summary>
    public LinearCase Corner(int m, int n)
    {
        var residual = new float[m * n];
        for (var row = 0; row < m; row++) Residual.AsSpan(row * N, n).CopyTo(residual.AsSpan(row * n));
        return new(Product.Corner(m, n), RowScales[..m], ColumnScales[..n], Bias[..n], residual);
    }

    /// <summary>Runs a kernel and returns [M,N], having checked that nothing else was written and that the largest magnitudes were kept.</summary>
    public float[] Run(IntegerKernel kernel, Epilogue epilogue, RowOps rows)
    {
        using var weights = Product.Pack(kernel);
        return Run(kernel, epilogue, rows, weights);
    }

    public float[] Run(IntegerKernel kernel, Epilogue epilogue, RowOps rows, GuardedMemory weights)
    {
        using var activations = GuardedMemory.Of(Spread<byte>(Product.Activations, K, ActivationGap));
        using var rowScales = GuardedMemory.Of<float>(RowScales);
        using var columnScales = GuardedMemory.Of<float>(ColumnScales);
        using var bias = GuardedMemory.Of<float>(Bias);
        using var offsets = GuardedMemory.Of<int>(Offsets);
        using var targets = GuardedMemory.Of<int>(Targets);
        using var gates = GuardedMemory.Of<float>(Gates);
        using var output = GuardedMemory.Of(Spread<float>(Residual, N, OutputGap));
        using var maxima = GuardedMemory.Of<float>(new float[M * RowOps.MaximumLanes]);
        using var scratch = new GuardedMemory(kernel.ScratchBytes(M, N, K));
        var operands = new LinearOperands
        {
            M = M, N = N, K = K, Activations = activations.Pointer, ActivationStride = K + ActivationGap,
            RowScales = (float*)rowScales.Pointer, Weights = weights.Pointer, ColumnScales = (float*)columnScales.Pointer,
            Bias = (float*)bias.Pointer, Output = (float*)output.Pointer, OutputStride = N + OutputGap, Epilogue = epilogue,
            Scratch = scratch.Pointer, Offsets = Offsets.Length == 0 ? null : (int*)offsets.Pointer, Next = weights.Pointer,
            Targets = Targets.Length == 0 ? default : new() { Rows = (int*)targets.Pointer, Gates = (float*)gates.Pointer },
        };
        kernel.Run(operands, rows);
        var unmeasured = Collect(output.As<float>());
        Spread<float>(Residual, N, OutputGap).CopyTo(output.As<float>());
        operands.RowMaxima = (float*)maxima.Pointer;
        kernel.Run(operands, rows);
        var result = Collect(output.As<float>());
        Assert.Equal(unmeasured, result);
        AssertMaxima(result, maxima.As<float>());
        return result;
    }

    void AssertMaxima(float[] result, ReadOnlySpan<float> maxima)
    {
        for (var m = 0; m < M; m++)
            Assert.Equal(result[(m * N)..((m + 1) * N)].Max(MathF.Abs), maxima.Slice(m * RowOps.MaximumLanes, RowOps.MaximumLanes).ToArray().Max());
    }

    /// <summary>M rows with gaps of default values between them, from the first element to the last.</summary>
    ReadOnlySpan<T> Spread<T>(ReadOnlySpan<T> rows, int width, int gap)
    {
        if (M == 0) return default;
        var spread = new T[(M - 1) * (width + gap) + width];
        for (var m = 0; m < M; m++) rows.Slice(m * width, width).CopyTo(spread.AsSpan(m * (width + gap)));
        return spread;
    }

    float[] Collect(ReadOnlySpan<float> output)
    {
        var result = new float[M * N];
        for (var m = 0; m < M; m++)
        {
            var row = output[(m * (N + OutputGap))..];
            row[..N].CopyTo(result.AsSpan(m * N));
            if (m < M - 1) Assert.Equal(-1, row.Slice(N, OutputGap).IndexOfAnyExcept(0f));
        }
        return result;
    }
}
