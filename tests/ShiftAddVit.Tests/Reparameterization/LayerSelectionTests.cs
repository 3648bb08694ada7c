using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Tests.Reparameterization;

public class LayerSelectionTests
{
    static readonly VitGraph Graph = TinyModels.Create();

    static string[] Selected(string[] only, string[] except) =>
        [.. Graph.Layers().Select(layer => layer.Name).Append("blocks.0.attn").Append("blocks.1.attn").Where(new LayerSelection([.. only], [.. except]).Selects)];

    [Fact]
    public void Without_patterns_everything_is_selected() => Assert.Equal(Graph.Layers().Count() + 2, Selected([], []).Length);

    [Theory]
    [InlineData("fc1", "blocks.0.mlp.fc1 blocks.1.mlp.fc1")]
    [InlineData("mlp.fc?", "blocks.0.mlp.fc1 blocks.0.mlp.fc2 blocks.1.mlp.fc1 blocks.1.mlp.fc2")]
    [InlineData("blocks.1.*", "blocks.1.attn.qkv blocks.1.attn.proj blocks.1.mlp.fc1 blocks.1.mlp.fc2 blocks.1.attn")]
    [InlineData("blocks.0.attn", "blocks.0.attn")]
    [InlineData("attn", "blocks.0.attn blocks.1.attn")]
    [InlineData("FC1", "")]
    public void A_name_its_ends_and_wild_cards_select(string pattern, string names)
    {
        Assert.Equal(names.Split(' ', StringSplitOptions.RemoveEmptyEntries), Selected([pattern], []));
        Assert.Equal(Selected([], []).Except(Selected([pattern], [])), Selected([], [pattern]));
    }

    [Fact]
    public void An_exception_outweighs_a_selection() => Assert.Equal(["blocks.0.mlp.fc1"], Selected(["fc1"], ["blocks.1.*"]));

    [Theory]
    [InlineData("fc3"), InlineData("blocks.2.*"), InlineData("blocks"), InlineData("")]
    public void A_pattern_that_matches_nothing_is_refused(string pattern)
    {
        var error = Assert.Throws<ShiftAddVitException>(() => new LayerSelection([], [pattern]).Validate(Graph));
        Assert.Contains($"tiny.safetensors: no layer {pattern}; allowed: names as blocks.0.attn", error.Message, StringComparison.Ordinal);
        new LayerSelection(["fc1", "blocks.1.attn"], ["*"]).Validate(Graph);
    }
}
