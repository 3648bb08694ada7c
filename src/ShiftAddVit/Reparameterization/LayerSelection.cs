using System.Collections.Immutable;
using System.IO.Enumeration;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reparameterization;

/// <summary>
/// Which parts of a model a pass changes, by canonical name (<c>blocks.3.mlp.fc1</c>, <c>blocks.3.attn</c> for the attention of a block) or by
/// any end of it (<c>fc1</c>, <c>attn.qkv</c>). In patterns * stands for any text and ? for one character.
/// </summary>
/// <param name="Only">What is selected; all when empty.</param>
/// <param name="Except">What is not, although the former says so.</param>
public sealed record LayerSelection(ImmutableArray<string> Only, ImmutableArray<string> Except)
{
    /// <summary>Everything.</summary>
    public static LayerSelection All { get; } = new([], []);

    /// <summary>Whether nothing is named: then everything is selected, or what a pass takes by default.</summary>
    public bool IsAll => Only.IsEmpty && Except.IsEmpty;

    /// <summary>Whether a part is selected.</summary>
    public bool Selects(string name) => (Only.IsEmpty || Only.Any(pattern => Matches(pattern, name))) && !Except.Any(pattern => Matches(pattern, name));

    /// <summary>Checks that every pattern means something.</summary>
    /// <param name="graph">The model.</param>
    /// <exception cref="ShiftAddVitException">A pattern matches nothing; the message says what there is.</exception>
    public void Validate(VitGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        string[] names = [.. Names(graph)];
        foreach (var pattern in Only.Concat(Except))
            if (!names.Any(name => Matches(pattern, name)))
                throw new ShiftAddVitException(
                    $"{graph.Provenance.Source}: no layer {pattern}; allowed: names as {AttentionName(0)}, {names[0]}, their ends as fc1, with * and ?");
    }

    /// <summary>The name of a block's attention.</summary>
    public static string AttentionName(int block) => $"blocks.{block}.attn";

    static IEnumerable<string> Names(VitGraph graph) =>
        graph.Layers().Select(layer => layer.Name).Concat(Enumerable.Range(0, graph.Blocks.Length).SelectMany(i => (string[])[AttentionName(i), $"blocks.{i}.mlp"]));

    /// <summary>Against the whole name and every end of it that begins after a dot.</summary>
    static bool Matches(string pattern, string name)
    {
        for (ReadOnlySpan<char> rest = name; ; rest = rest[(rest.IndexOf('.') + 1)..])
        {
            if (FileSystemName.MatchesSimpleExpression(pattern, rest, ignoreCase: false)) return true;
            if (!rest.Contains('.')) return false;
        }
    }
}
