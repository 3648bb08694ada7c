using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Suites;

/// <summary>K^T V of every kernel against plain sums of what its codes select.</summary>
public class AddTokensKernelTests
{
    /// <summary>More than one block of tokens, and as many as a large image has.</summary>
    const int Many = 70_000;

    public static TheoryData<string> Names => KernelRows.AddTokens;

    static AddTokensKernel Find(string name) => (AddTokensKernel)KernelRows.Find(name);

    static void AssertSums(AddTokensKernel kernel, AddTokensCase it)
    {
        if (!it.Expected().AsSpan().SequenceEqual(it.Run(kernel))) Assert.Fail($"{it.Tokens} tokens, {it.Bits} code bits, {it.HeadSize} channels");
    }

    [Theory, MemberData(nameof(Names))]
    public void Adds_the_tokens_whose_bit_is_set_for_all_numbers_of_tokens(string name)
    {
        var random = new Random(1);
        for (var tokens = 0; tokens <= 130; tokens++)
        {
            AssertSums(Find(name), AddTokensCase.Random(random, tokens, random.Next(1, 65), random.Next(1, 71)));
            AssertSums(Find(name), AddTokensCase.Random(random, tokens, 16, 32));
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Adds_the_tokens_whose_bit_is_set_for_all_numbers_of_code_bits_and_channels(string name)
    {
        var random = new Random(2);
        for (var bits = 1; bits <= 64; bits++) AssertSums(Find(name), AddTokensCase.Random(random, 67, bits, 33));
        for (var channels = 1; channels <= 70; channels++) AssertSums(Find(name), AddTokensCase.Random(random, 65, 37, channels));
    }

    [Theory, MemberData(nameof(Names))]
    public void Adds_the_tokens_of_several_blocks(string name)
    {
        var random = new Random(3);
        foreach (var tokens in (ReadOnlySpan<int>)[255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097, 8201])
            AssertSums(Find(name), AddTokensCase.Random(random, tokens, 9, 35));
    }

    [Theory, MemberData(nameof(Names))]
    public void All_bits_and_the_largest_values_of_many_tokens_do_not_overflow(string name)
    {
        foreach (var value in (ReadOnlySpan<sbyte>)[127, -127])
        {
            var (codes, values) = (new ulong[Many], new sbyte[2 * Many]);
            Array.Fill(codes, 0b111UL);
            Array.Fill(values, value);
            Assert.Equal(-1, new AddTokensCase(Many, 3, 2, codes, values).Run(Find(name)).AsSpan().IndexOfAnyExcept(Many * value));
        }
    }

    /// <summary>What the contract says of codes +1 and -1.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Twice_the_sum_less_that_of_all_tokens_is_the_product_of_signs(string name)
    {
        var it = AddTokensCase.Random(new(4), 77, 64, 20);
        var sums = it.Run(Find(name));
        for (var i = 0; i < it.Bits; i++)
            for (var d = 0; d < it.HeadSize; d++)
            {
                var (product, all) = (0, 0);
                for (var t = 0; t < it.Tokens; t++)
                {
                    var value = it.Values[t * it.HeadSize + d];
                    product += ((it.Codes[t] >> i & 1) == 1 ? 1 : -1) * value;
                    all += value;
                }
                Assert.Equal(product, 2 * sums[i * it.HeadSize + d] - all);
            }
    }

    [Theory, MemberData(nameof(Names))]
    public void More_tokens_than_fit_are_refused(string name)
    {
        Find(name).ScratchBytes(AddTokensKernel.MaxTokens);
        Assert.Throws<ArgumentOutOfRangeException>(() => Find(name).ScratchBytes(AddTokensKernel.MaxTokens + 1));
        Assert.InRange(127L * AddTokensKernel.MaxTokens * AddTokensKernel.MaxBits, 0, int.MaxValue);
    }
}
