using System.Collections.Immutable;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>A part of a block that computes each token on its own: [.., K] to [.., N]. One linear layer, a mixture of several, or three side by side.</summary>
/// <param name="Name">Canonical name, e.g. <c>blocks.0.attn.qkv</c>.</param>
/// <param name="Role">What the layer does in its block.</param>
public abstract record Layer(string Name, LinearRole Role)
{
    /// <summary>K.</summary>
    public abstract int Inputs { get; }

    /// <summary>N.</summary>
    public abstract int Outputs { get; }

    /// <summary>The same layer with every linear layer in it replaced by <paramref name="map"/> of it, in the order of the forward pass.</summary>
    public abstract Layer MapLinears(Func<Linear, Linear> map);
}

/// <summary>y = W x + b.</summary>
/// <param name="Name">Canonical name without <c>.weight</c>, e.g. <c>blocks.0.attn.qkv</c>.</param>
/// <param name="Role">What the layer does in its block.</param>
/// <param name="Weight">W, [N,K].</param>
/// <param name="Bias">b, [N], or none.</param>
public sealed record Linear(string Name, LinearRole Role, LinearWeight Weight, Tensor? Bias) : Layer(Name, Role)
{
    /// <inheritdoc/>
    public override int Inputs => Weight.Inputs;

    /// <inheritdoc/>
    public override int Outputs => Weight.Outputs;

    /// <inheritdoc/>
    public override Layer MapLinears(Func<Linear, Linear> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return map(this);
    }
}

/// <summary>
/// y = gate_e * Experts[e](x), e the largest of the logits Router(x) of a token (the first of equals), gate_e = softmax(logits)_e.
/// </summary>
/// <param name="Name">Canonical name; the router and the experts are named after it.</param>
/// <param name="Role">What the layer does in its block.</param>
/// <param name="Router">[E,K].</param>
/// <param name="Experts">E layers [N,K], in any formats.</param>
public sealed record Mixture(string Name, LinearRole Role, Linear Router, ImmutableArray<Linear> Experts) : Layer(Name, Role)
{
    /// <inheritdoc/>
    public override int Inputs => Router.Inputs;

    /// <inheritdoc/>
    public override int Outputs => Experts[0].Outputs;

    /// <inheritdoc/>
    public override Layer MapLinears(Func<Linear, Linear> map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return this with { Router = map(Router), Experts = [.. Experts.Select(map)] };
    }
}

/// <summary>Queries, keys and values by a layer each, their outputs side by side.</summary>
/// <param name="Name">Canonical name of the whole.</param>
/// <param name="Queries">[C,C].</param>
/// <param name="Keys">[C,C].</param>
/// <param name="Values">[C,C].</param>
public sealed record QkvSplit(string Name, Layer Queries, Layer Keys, Layer Values) : Layer(Name, LinearRole.Qkv)
{
    /// <summary>The names of the three within attention.</summary>
    public static ImmutableArray<string> Parts { get; } = ["q", "k", "v"];

    /// <inheritdoc/>
    public override int Inputs => Queries.Inputs;

    /// <inheritdoc/>
    public override int Outputs => Queries.Outputs + Keys.Outputs + Values.Outputs;

    /// <inheritdoc/>
    public override Layer MapLinears(Func<Linear, Linear> map) =>
        this with { Queries = Queries.MapLinears(map), Keys = Keys.MapLinears(map), Values = Values.MapLinears(map) };
}
