using System.Collections.Immutable;
using ShiftAddVit.Inference;

namespace ShiftAddVit.Reports;

/// <summary>Where one mixture sent the tokens of an image.</summary>
/// <param name="Layer">The mixture's name.</param>
/// <param name="Formats">Its experts.</param>
/// <param name="Experts">The expert of each token, prefix tokens first.</param>
public sealed record TokenRouting(string Layer, ImmutableArray<string> Formats, ImmutableArray<int> Experts)
{
    /// <summary>The share of the tokens that an expert got.</summary>
    public double Share(int expert) => Experts.Count(it => it == expert) / (double)Experts.Length;
}

/// <summary>Collects where tokens go; <see cref="Observe"/> is the observer of a session that runs one image at a time.</summary>
/// <param name="formats">The experts of each mixture, by its name.</param>
public sealed class RoutingLog(IReadOnlyDictionary<string, ImmutableArray<string>> formats)
{
    ImmutableArray<TokenRouting>.Builder _seen = ImmutableArray.CreateBuilder<TokenRouting>();

    /// <summary>Takes an activation.</summary>
    public void Observe(in Activation activation)
    {
        if (activation.Kind != ActivationKind.Routing) return;
        var experts = ImmutableArray.CreateBuilder<int>(activation.Rows);
        for (var row = 0; row < activation.Rows; row++) experts.Add((int)activation.Values[row * activation.Columns]);
        _seen.Add(new(activation.Name, formats[activation.Name], experts.MoveToImmutable()));
    }

    /// <summary>What the last image was seen to do, in the order of the forward pass; begins anew.</summary>
    public ImmutableArray<TokenRouting> Take()
    {
        var seen = _seen.ToImmutable();
        _seen = ImmutableArray.CreateBuilder<TokenRouting>();
        return seen;
    }
}
