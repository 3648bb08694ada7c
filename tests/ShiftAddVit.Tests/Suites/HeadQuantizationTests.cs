using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Suites;

/// <summary>A layer whose heads are quantised by the kernel has the bits of the layer and of quantising its rows.</summary>
public unsafe class HeadQuantizationTests
{
    const int OutputGap = 5, ScaleGap = 3;

    static readonly RowOps Rows = new KernelRegistry(KernelIsa.Avx512Vnni).Rows;

    public static TheoryData<string> Names => KernelRows.Integer;

    [Theory, MemberData(nameof(Names))]
    public void Heads_have_the_bits_of_the_definition(string name)
    {
        var kernel = (IntegerKernel)KernelRows.Find(name);
        var random = new Random(6);
        foreach (var d in new[] { kernel.Name.Nr, 64, 16, 5 }.Distinct())
            foreach (var heads in (ReadOnlySpan<int>)[1, 3])
                foreach (var k in (ReadOnlySpan<int>)[3, 64, 1027])
                    foreach (var m in (ReadOnlySpan<int>)[1, 2, 5, 6, 7, 13])
                    {
                        var layer = LinearCase.Random(random, kernel, m, heads * d, k);
                        // A row that is 0 but for its bias, and heads whose bias is negligible or huge.
                        layer.RowScales[m / 2] = 0;
                        for (var n = 0; n < heads * d; n++) layer.Bias[n] *= (n / d) switch { 0 => 1e-32f, 1 => 1, _ => 1e30f };
                        AssertSame(layer, kernel, d, $"{m}x{k}x{heads}x{d}");
                    }
    }

    static void AssertSame(LinearCase layer, IntegerKernel kernel, int d, string what)
    {
        var expected = Run(layer, (IntegerKernel)KernelRows.ReferenceOf(kernel), d);
        var actual = Run(layer, kernel, d);
        var at = expected.Bytes.AsSpan().CommonPrefixLength(actual.Bytes);
        Assert.True(at == expected.Bytes.Length, $"byte {at} of {what}");
        at = expected.Scales.AsSpan().CommonPrefixLength(actual.Scales);
        Assert.True(at == expected.Scales.Length, $"scale {at} of {what}");
    }

    /// <summary>Bytes and scales with their gaps, which nobody writes.</summary>
    static (byte[] Bytes, float[] Scales) Run(LinearCase layer, IntegerKernel kernel, int d)
    {
        var (m, n, k) = (layer.Product.M, layer.Product.N, layer.Product.K);
        using var weights = layer.Product.Pack(kernel);
        using var activations = GuardedMemory.Of<byte>(layer.Product.Activations);
        using var rowScales = GuardedMemory.Of<float>(layer.RowScales);
        using var columnScales = GuardedMemory.Of<float>(layer.ColumnScales);
        using var bias = GuardedMemory.Of<float>(layer.Bias);
        using var output = new GuardedMemory((m - 1) * (n + OutputGap) + n);
        using var scales = new GuardedMemory(((n / d - 1) * (m + ScaleGap) + m) * sizeof(float));
        using var scratch = new GuardedMemory(kernel.ScratchBytes(m, n, k));
        var operands = new LinearOperands
        {
            M = m, N = n, K = k, Activations = activations.Pointer, ActivationStride = k, RowScales = (float*)rowScales.Pointer,
            Weights = weights.Pointer, ColumnScales = (float*)columnScales.Pointer, Bias = (float*)bias.Pointer,
            Output = (float*)output.Pointer, OutputStride = n + OutputGap, Epilogue = Epilogue.QuantizeHeads, Scratch = scratch.Pointer,
            Heads = new() { HeadSize = d, Scales = (float*)scales.Pointer, Stride = m + ScaleGap },
        };
        kernel.Run(operands, Rows);
        return (output.Bytes.ToArray(), scales.As<float>().ToArray());
    }
}
