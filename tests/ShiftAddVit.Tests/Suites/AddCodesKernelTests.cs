using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Suites;

/// <summary>Q(KV) of every kernel against plain sums of the rows that its codes select; all operands end at a guard page.</summary>
public unsafe class AddCodesKernelTests
{
    const int SumGap = 3, OutputGap = 5;

    public static TheoryData<string> Names => KernelRows.AddCodes;

    static AddCodesKernel Find(string name) => (AddCodesKernel)KernelRows.Find(name);

    static int[] RandomSums(Random random, int count)
    {
        var sums = new int[count];
        foreach (ref var sum in sums.AsSpan()) sum = random.Next(-1_000_000, 1_000_000);
        return sums;
    }

    /// <summary>y [N,D] of A [I,D], some tokens at a time after one preparation, having checked that nothing else was written.</summary>
    static int[] Run(AddCodesKernel kernel, int bits, int d, ulong[] tokens, int[] sums, int atATime)
    {
        using var codes = GuardedMemory.Of<ulong>(tokens);
        using var a = new GuardedMemory(((bits - 1L) * (d + SumGap) + d) * sizeof(int));
        using var output = new GuardedMemory(tokens.Length == 0 ? 0 : ((tokens.Length - 1L) * (d + OutputGap) + d) * sizeof(int));
        using var scratch = new GuardedMemory(kernel.ScratchBytes(bits, d));
        for (var i = 0; i < bits; i++) sums.AsSpan(i * d, d).CopyTo(a.As<int>()[(i * (d + SumGap))..]);
        var operands = new AddCodesOperands
        {
            Tokens = 0, Bits = bits, HeadSize = d, Codes = (ulong*)codes.Pointer, Sums = (int*)a.Pointer, SumStride = d + SumGap,
            Output = (int*)output.Pointer, OutputStride = d + OutputGap, Scratch = scratch.Pointer,
        };
        kernel.Prepare(operands);
        for (var first = 0; first < tokens.Length; first += atATime)
        {
            operands.Tokens = int.Min(atATime, tokens.Length - first);
            kernel.Run(operands);
            operands.Codes += atATime;
            operands.Output += atATime * operands.OutputStride;
        }
        return AddTokensCase.Collect(output.As<int>(), tokens.Length, d, OutputGap);
    }

    static void AssertSums(AddCodesKernel kernel, Random random, int tokens, int bits, int d, int? atATime = null)
    {
        var (codes, sums) = (AddTokensCase.RandomCodes(random, tokens, bits), RandomSums(random, bits * d));
        var actual = Run(kernel, bits, d, codes, sums, atATime ?? int.Max(tokens, 1));
        for (var at = 0; at < actual.Length; at++)
        {
            var expected = 0;
            for (var i = 0; i < bits; i++) if ((codes[at / d] & 1UL << i) != 0) expected += sums[i * d + at % d];
            if (expected != actual[at]) Assert.Fail($"output {at} of {tokens} tokens, {bits} code bits, {d} channels");
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Adds_the_rows_whose_bit_is_set_for_all_numbers_of_tokens(string name)
    {
        var random = new Random(1);
        for (var tokens = 0; tokens <= 130; tokens++) AssertSums(Find(name), random, tokens, random.Next(1, 65), random.Next(1, 71));
        foreach (var tokens in (ReadOnlySpan<int>)[255, 256, 257, 1023, 1024, 1025]) AssertSums(Find(name), random, tokens, 16, 32);
    }

    [Theory, MemberData(nameof(Names))]
    public void Adds_the_rows_whose_bit_is_set_for_all_numbers_of_code_bits_and_channels(string name)
    {
        var random = new Random(2);
        for (var bits = 1; bits <= 64; bits++) AssertSums(Find(name), random, 13, bits, 33);
        for (var channels = 1; channels <= 140; channels++) AssertSums(Find(name), random, 11, 37, channels);
    }

    [Theory, MemberData(nameof(Names))]
    public void One_preparation_serves_all_tokens(string name)
    {
        foreach (var atATime in (ReadOnlySpan<int>)[1, 2, 3, 7, 32]) AssertSums(Find(name), new(3), 67, 64, 64, atATime);
    }

    [Theory, MemberData(nameof(Names))]
    public void The_largest_sums_of_the_most_tokens_do_not_overflow(string name)
    {
        foreach (var sum in (ReadOnlySpan<int>)[127 * AddTokensKernel.MaxTokens, -127 * AddTokensKernel.MaxTokens])
        {
            var sums = new int[64 * 17];
            Array.Fill(sums, sum);
            Assert.Equal(-1, Run(Find(name), 64, 17, [ulong.MaxValue, ulong.MaxValue], sums, 2).AsSpan().IndexOfAnyExcept(64 * sum));
        }
    }

    /// <summary>What the contract says of codes +1 and -1.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Twice_the_sum_less_that_of_all_rows_is_the_product_of_signs(string name)
    {
        const int tokens = 9, bits = 64, d = 20;
        var random = new Random(4);
        var (codes, sums) = (AddTokensCase.RandomCodes(random, tokens, bits), RandomSums(random, bits * d));
        var actual = Run(Find(name), bits, d, codes, sums, tokens);
        for (var at = 0; at < actual.Length; at++)
        {
            var (product, all) = (0, 0);
            for (var i = 0; i < bits; i++)
            {
                product += ((codes[at / d] >> i & 1) == 1 ? 1 : -1) * sums[i * d + at % d];
                all += sums[i * d + at % d];
            }
            Assert.Equal(product, 2 * actual[at] - all);
        }
    }
}
