using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Suites;

namespace ShiftAddVit.Tests.Packing;

/// <summary>Activations packed as weights multiply as weights do, for every kernel that takes S8.</summary>
public unsafe class ByteOperandPackingTests
{
    public static TheoryData<string> Kernels =>
        [.. KernelRows.Integer.Select(row => row.Data).Where(name => KernelRows.Find(name).Name.B == NumberType.S8)];

    [Theory, MemberData(nameof(Kernels))]
    public void Rows_are_the_outputs(string name)
    {
        var kernel = (IntegerKernel)KernelRows.Find(name);
        var nr = kernel.Name.Nr;
        foreach (var (m, n, k) in new[] { (3, 1, 1), (2, nr + 3, 16), (7, 2 * nr, 37), (1, 5, 64), (3, 2 * nr + 13, 64), (2, nr + 6, 1040), (1, nr, 20) })
        {
            var (a, b) = (Bytes(1, m * k), Bytes(2, n * (k + 2)));
            using var packed = new GuardedMemory(kernel.Packing.ByteLength(n, k));
            using var source = GuardedMemory.Of<byte>(b.AsSpan(0, n * (k + 2) - 2));
            // In two pieces, as tokens come.
            var cut = n / 2;
            kernel.Packing.PackRows(0, cut, k, source.Pointer, k + 2, packed.Pointer);
            kernel.Packing.PackRows(cut, n - cut, k, source.Pointer + cut * (k + 2), k + 2, packed.Pointer);
            var sums = Run(kernel, m, n, k, a, packed);
            for (var i = 0; i < sums.Length; i++)
            {
                var expected = 0;
                for (var j = 0; j < k; j++) expected += (a[i / n * k + j] - 128) * (b[i % n * (k + 2) + j] - 128);
                Assert.Equal(expected, sums[i]);
            }
        }
    }

    static int[] Run(IntegerKernel kernel, int m, int n, int k, byte[] a, GuardedMemory packed)
    {
        var sums = new int[m * n];
        using var scratch = new AlignedBuffer(kernel.ScratchBytes(k));
        fixed (byte* activations = a)
        fixed (int* output = sums)
            kernel.Run(new IntegerOperands
            {
                M = m, N = n, K = k, Activations = activations, ActivationStride = k, Weights = packed.Pointer, Output = output, OutputStride = n,
                Scratch = scratch.Pointer,
            });
        return sums;
    }

    static byte[] Bytes(int seed, int count)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        // Weights, like all that is quantised, are -127..127.
        return [.. bytes.Select(value => byte.Max(value, 1))];
    }
}
