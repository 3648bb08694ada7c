using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Suites;

public unsafe class BitKernelTests
{
    const int ActivationGap = 3, OutputGap = 5;

    public static TheoryData<string> Names => KernelRows.Bits;

    static BitKernel Find(string name) => (BitKernel)KernelRows.Find(name);

    static int Words(int k) => (k + 31) / 32;

    /// <summary>Codes +1 and -1 as rows of words.</summary>
    static uint[] Encode(ReadOnlySpan<sbyte> codes, int k)
    {
        var words = new uint[codes.Length / k * Words(k)];
        for (var i = 0; i < codes.Length; i++) if (codes[i] > 0) words[i / k * Words(k) + i % k / 32] |= 1u << i % k % 32;
        return words;
    }

    static sbyte[] RandomCodes(Random random, int count)
    {
        var codes = new sbyte[count];
        foreach (ref var code in codes.AsSpan()) code = (sbyte)(2 * random.Next(2) - 1);
        return codes;
    }

    /// <summary>c [M,N] of [M,K] and [N,K]; all operands end at a guard page, and rows have gaps between them.</summary>
    static int[] Run(BitKernel kernel, int m, int n, int k, ReadOnlySpan<sbyte> a, ReadOnlySpan<sbyte> b)
    {
        var packed = new uint[kernel.Packing.ByteLength(n, k) / sizeof(uint)];
        kernel.Packing.PackBits(n, k, Encode(b[..(n * k)], k), packed);
        using var weights = GuardedMemory.Of<uint>(packed);
        var (rows, stride) = (Encode(a[..(m * k)], k), Words(k) + ActivationGap);
        using var activations = new GuardedMemory(m == 0 ? 0 : ((m - 1L) * stride + Words(k)) * sizeof(uint));
        for (var row = 0; row < m; row++) rows.AsSpan(row * Words(k), Words(k)).CopyTo(activations.As<uint>()[(row * stride)..]);
        using var output = new GuardedMemory(m == 0 ? 0 : ((m - 1L) * (n + OutputGap) + n) * sizeof(int));
        kernel.Run(new()
        {
            M = m,
            N = n,
            K = k,
            Activations = (uint*)activations.Pointer,
            ActivationStride = stride,
            Weights = (uint*)weights.Pointer,
            Output = (int*)output.Pointer,
            OutputStride = n + OutputGap,
        });
        var result = new int[m * n];
        for (var row = 0; row < m; row++)
        {
            var line = output.As<int>()[(row * (n + OutputGap))..];
            line[..n].CopyTo(result.AsSpan(row * n));
            if (row < m - 1) Assert.Equal(-1, line.Slice(n, OutputGap).IndexOfAnyExcept(unchecked((int)0xA5A5A5A5)));
        }
        return result;
    }

    /// <summary>The judge of the judges too: products of the codes themselves.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Is_the_sum_of_products_for_all_tails_around_its_tile(string name)
    {
        var kernel = Find(name);
        var (mr, nr) = (kernel.Name.Mr, kernel.Name.Nr);
        var random = new Random(1);
        for (var k = 1; k <= 200; k += k < 70 ? 1 : 13)
        {
            var (a, b) = (RandomCodes(random, (2 * mr + 1) * k), RandomCodes(random, (2 * nr + 1) * k));
            foreach (var n in new[] { 1, nr / 2, nr - 1, nr, nr + 1, 2 * nr + 1 }.Where(n => n > 0).Distinct())
                foreach (var m in new[] { 0, 1, mr - 1, mr, mr + 1, 2 * mr + 1 })
                {
                    var actual = Run(kernel, m, n, k, a, b);
                    for (var i = 0; i < actual.Length; i++)
                        if (actual[i] != Product(a, b, i / n, i % n, k)) Assert.Fail($"output {i} of {m}x{k}x{n}");
                }
        }
    }

    static int Product(sbyte[] a, sbyte[] b, int m, int n, int k)
    {
        var sum = 0;
        for (var i = 0; i < k; i++) sum += a[m * k + i] * b[n * k + i];
        return sum;
    }

    /// <summary>What the contract says of codes {0,1}.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Gives_the_popcount_of_AND(string name)
    {
        const int k = 77;
        var random = new Random(2);
        var (a, b) = (RandomCodes(random, k), RandomCodes(random, k));
        var (ones, others, both) = (a.Count(code => code > 0), b.Count(code => code > 0), a.Zip(b).Count(pair => pair is { First: > 0, Second: > 0 }));
        Assert.Equal(both, (Run(Find(name), 1, 1, k, a, b)[0] + 2 * ones + 2 * others - k) / 4);
    }

    [Theory, MemberData(nameof(Names))]
    public void Codes_that_all_agree_or_differ_give_the_extremes(string name)
    {
        const int k = 100_003;
        var ones = new sbyte[k];
        Array.Fill(ones, (sbyte)1);
        var minus = new sbyte[k];
        Array.Fill(minus, (sbyte)-1);
        Assert.Equal(k, Run(Find(name), 1, 1, k, ones, ones)[0]);
        Assert.Equal(-k, Run(Find(name), 1, 1, k, ones, minus)[0]);
    }
}
