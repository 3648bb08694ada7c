using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Reference;

namespace ShiftAddVit.Tests.Suites;

/// <summary>A layer whose heads become codes in the kernel has the bits of the layer and of <see cref="LinearAttentionReference.Code"/>.</summary>
public unsafe class HeadCodeTests
{
    const int WordGap = 3;

    static readonly RowOps Rows = new KernelRegistry(KernelIsa.Avx512Vnni).Rows;

    public static TheoryData<string> Names => KernelRows.Integer;

    [Theory, MemberData(nameof(Names))]
    public void Heads_become_codes_as_defined(string name)
    {
        var kernel = (IntegerKernel)KernelRows.Find(name);
        var random = new Random(6);
        foreach (var d in new[] { int.Min(kernel.Name.Nr, 64), 64, 16, 5 }.Distinct())
            foreach (var heads in (ReadOnlySpan<int>)[1, 3])
                foreach (var k in (ReadOnlySpan<int>)[3, 64, 130])
                    foreach (var m in (ReadOnlySpan<int>)[1, 2, 5, 6, 7, 13])
                    {
                        var layer = LinearCase.Random(random, kernel, m, heads * d, k);
                        // Rows of 0 and of -0, and negligible and huge heads.
                        layer.RowScales[m / 2] = 0;
                        for (var n = 0; n < heads * d; n++) layer.Bias[n] *= (n % 3 == 0 ? 0 : 1) * (n / d) switch { 0 => 1e-32f, 1 => 1, _ => 1e30f };
                        var y = layer.Run((IntegerKernel)KernelRows.ReferenceOf(kernel), Epilogue.Store, Rows);
                        foreach (var measures in (ReadOnlySpan<bool>)[false, true]) AssertSame(layer, y, kernel, d, measures, $"{m}x{k}x{heads}x{d}");
                    }
    }

    static void AssertSame(LinearCase layer, float[] y, IntegerKernel kernel, int d, bool measures, string what)
    {
        var (m, n, k) = (layer.Product.M, layer.Product.N, layer.Product.K);
        var (heads, stride) = (n / d, m + WordGap);
        using var weights = layer.Product.Pack(kernel);
        using var activations = GuardedMemory.Of<byte>(layer.Product.Activations);
        using var rowScales = GuardedMemory.Of<float>(layer.RowScales);
        using var columnScales = GuardedMemory.Of<float>(layer.ColumnScales);
        using var bias = GuardedMemory.Of<float>(layer.Bias);
        using var codes = new GuardedMemory(((heads - 1) * stride + m) * sizeof(ulong));
        using var magnitudes = new GuardedMemory(((heads - 1) * stride + m) * sizeof(float));
        using var scratch = new GuardedMemory(kernel.ScratchBytes(m, n, k));
        var operands = new LinearOperands
        {
            M = m, N = n, K = k, Activations = activations.Pointer, ActivationStride = k, RowScales = (float*)rowScales.Pointer,
            Weights = weights.Pointer, ColumnScales = (float*)columnScales.Pointer, Bias = (float*)bias.Pointer,
            Output = (float*)codes.Pointer, OutputStride = stride, Epilogue = Epilogue.Codes, Scratch = scratch.Pointer,
            Heads = new() { HeadSize = d, Scales = measures ? (float*)magnitudes.Pointer : null, Stride = stride },
        };
        kernel.Run(operands, Rows);
        using var untouched = new GuardedMemory(sizeof(ulong));
        for (var h = 0; h < heads; h++)
            for (var row = 0; row < (h == heads - 1 ? m : stride); row++)
            {
                var (code, magnitude) = row < m
                    ? LinearAttentionReference.Code(y.AsSpan(row * n + h * d, d)) : (untouched.As<ulong>()[0], untouched.As<float>()[0]);
                Assert.True(code == codes.As<ulong>()[h * stride + row], $"{what}: code of row {row}, head {h}");
                if (!measures) magnitude = untouched.As<float>()[0];
                Assert.True(magnitude.Equals(magnitudes.As<float>()[h * stride + row]), $"{what}: magnitude of row {row}, head {h}");
            }
    }
}
