using System.Collections.Immutable;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reparameterization;

/// <summary>What a pass did to one layer or parameter.</summary>
/// <param name="Layer">Canonical name.</param>
/// <param name="From">How it was represented.</param>
/// <param name="To">How it is represented now.</param>
/// <param name="RelativeError">SUM (w - w')^2 / SUM w^2 over its values; 0 when nothing was lost, null where values are not what changed.</param>
/// <param name="BitsPerWeight">Bits a value now takes in a file, scales included; null likewise.</param>
public sealed record LayerChange(string Layer, string From, string To, double? RelativeError = null, double? BitsPerWeight = null)
{
    internal static double Error(ReadOnlySpan<float> before, ReadOnlySpan<float> after)
    {
        double error = 0, energy = 0;
        for (var i = 0; i < before.Length; i++)
        {
            double difference = before[i] - after[i];
            error += difference * difference;
            energy += (double)before[i] * before[i];
        }
        return energy == 0 ? 0 : error / energy;
    }
}

/// <summary>A reparameterized model and what changed.</summary>
/// <param name="Graph">The new model; its provenance has one more step.</param>
/// <param name="Changes">What the pass changed, in the order of the forward pass.</param>
public sealed record PassResult(VitGraph Graph, ImmutableArray<LayerChange> Changes);
