using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Tests.Inference;

public class OperationCountTests
{
    /// <summary>By hand: 9 patches of 192 values, 10 tokens of 20 channels, two blocks, in the last of which one token asks.</summary>
    [Theory]
    [InlineData(Work.Embedding, 9 * 192 * 20)]
    [InlineData(Work.Qkv, 10 * 20 * 60 + (10 * 20 * 40 + 20 * 20))]
    [InlineData(Work.Scores, 10 * 10 * 20 + 10 * 20)]
    [InlineData(Work.Values, 10 * 10 * 20 + 10 * 20)]
    [InlineData(Work.Projection, 10 * 20 * 20 + 20 * 20)]
    [InlineData(Work.Fc1, 10 * 20 * 37 + 20 * 37)]
    [InlineData(Work.Fc2, 10 * 20 * 37 + 20 * 37)]
    [InlineData(Work.Head, 20 * 7)]
    [InlineData(Work.Softmax, 0)]
    [InlineData(Work.Experts, 0)]
    [InlineData(Work.Router, 0)]
    public void Only_what_the_heads_read_of_the_last_block_counts(Work work, long expected) =>
        Assert.Equal(expected, OperationCount.MultiplyAdds(TinyModels.Architecture, work));

    /// <summary>By hand: of the last block's eleven tokens that go on, counted over both blocks, two heads.</summary>
    [Theory]
    [InlineData(Work.Patches, 9 * 192)]
    [InlineData(Work.Norm, 4 * (20 + 11) * 20)]
    [InlineData(Work.PackHeads, 20 * 20)]
    [InlineData(Work.Softmax, 2 * 11 * 10 * 2)]
    [InlineData(Work.Quantize, 11 * (20 + 37))]
    [InlineData(Work.Fc1, 0)]
    public void Multiplications_are_those_of_the_definitions(Work work, long expected) =>
        Assert.Equal(expected, OperationCount.Multiplications(TinyModels.Architecture, work));

    /// <summary>Experts take over what the layers did, of the last block's queries those of all tokens; a router has an output an expert.</summary>
    [Fact]
    public void Mixtures_are_counted_as_routers_and_experts()
    {
        var mixed = new BlockForm { QkvExperts = 2, Fc1Experts = 3 };
        var architecture = TinyModels.Architecture with { Forms = BlockForms.Of([mixed, mixed]) };
        Assert.Equal(2 * 10 * 20 * 60 + 10 * 20 * 37 + 20 * 37, OperationCount.MultiplyAdds(architecture, Work.Experts));
        Assert.Equal(2 * 10 * 20 * 2 + (10 * 20 + 20) * 3, OperationCount.MultiplyAdds(architecture, Work.Router));
        Assert.Equal(0, OperationCount.MultiplyAdds(architecture, Work.Qkv));
        Assert.Equal(10 * 20 * 37 + 20 * 37, OperationCount.MultiplyAdds(architecture, Work.Fc2));
    }

    [Fact]
    public void All_work_together_is_the_sum() => Assert.Equal(
        Enum.GetValues<Work>().Sum(work => OperationCount.MultiplyAdds(TinyModels.Architecture, work)),
        OperationCount.MultiplyAdds(TinyModels.Architecture));

    [Fact]
    public void A_distilled_model_has_two_tokens_that_ask_and_two_heads() => Assert.Equal(
        2 * 20 * 7, OperationCount.MultiplyAdds(TinyModels.Architecture with { DistillationToken = true }, Work.Head));

    /// <summary>The first block stays softmax; of the second 10 keys and one query select values, or sums of them, by codes of 10 bits.</summary>
    [Theory]
    [InlineData(AttentionKind.Taylor, Work.KeyValues, 10 * 10 * 20)]
    [InlineData(AttentionKind.Taylor, Work.QueryValues, 10 * 20)]
    [InlineData(AttentionKind.Taylor, Work.Scores, 10 * 10 * 20)]
    [InlineData(AttentionKind.Taylor, Work.KeyBias, 10 * 20 * 2)]
    [InlineData(AttentionKind.Quadratic, Work.Scores, 10 * 10 * 20 + 10 * 10 * 2)]
    [InlineData(AttentionKind.Quadratic, Work.KeyValues, 0)]
    public void Selected_adds_and_compared_bits_count_as_one(AttentionKind kind, Work work, long expected)
    {
        var forms = BlockForms.Of([BlockForm.Plain, new BlockForm { Attention = AttentionForm.Default(kind, 10) }]);
        Assert.Equal(expected, OperationCount.MultiplyAdds(TinyModels.Architecture with { Forms = forms }, work));
    }
}
