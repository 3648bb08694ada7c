using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>
/// Replaces the softmax attention of blocks by a binary form. The parameters that the form adds get the values that its formula suggests, with no
/// regard to data: thresholds and key biases 0, first-order factors, no convolution, a hash of random anchors.
/// </summary>
public static class AttentionPass
{
    const int HashSeed = 1;

    /// <summary>The blocks that are converted unless a selection says otherwise: the first decides a linear model's accuracy and stays.</summary>
    public static LayerSelection DefaultSelection(AttentionForm form)
    {
        ArgumentNullException.ThrowIfNull(form);
        return form.IsLinear ? new([], [LayerSelection.AttentionName(0)]) : LayerSelection.All;
    }

    /// <summary>Converts the selected blocks.</summary>
    /// <param name="graph">A model whose selected blocks have softmax attention; its layers may be in any format.</param>
    /// <param name="form">What the attention becomes.</param>
    /// <param name="selection">Which blocks, by the name of their attention; null for <see cref="DefaultSelection"/>.</param>
    /// <exception cref="ShiftAddVitException">The form does not fit the heads, nothing is selected, or a block is converted already.</exception>
    public static PassResult Apply(VitGraph graph, AttentionForm form, LayerSelection? selection = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(form);
        var (a, source) = (graph.Architecture, graph.Provenance.Source);
        form.Validate(source, a.HeadSize);
        if (!form.IsBinary) return new(graph, []);
        selection ??= DefaultSelection(form);
        var selected = Enumerable.Range(0, a.Depth).Where(i => selection.Selects(LayerSelection.AttentionName(i))).ToImmutableArray();
        if (selected.IsEmpty) throw new ShiftAddVitException($"{source}: no block is selected for {form.Kind} attention; allowed: one of {a.Depth} at least");
        foreach (var i in selected)
            if (a.Forms[i].Attention is { IsBinary: true } other)
                throw new ShiftAddVitException($"{source}: blocks.{i} has {other} attention already; a pass over attention starts from softmax");
        var forms = BlockForms.Of(Enumerable.Range(0, a.Depth).Select(i => selected.Contains(i) ? a.Forms[i] with { Attention = form } : a.Forms[i]));
        var converted = graph with
        {
            Architecture = a with { Forms = forms },
            Blocks = [.. graph.Blocks.Select((block, i) => selected.Contains(i) ? block with { Attention = Convert(block.Attention, a, form, i) } : block)],
            Provenance = graph.Provenance.With($"attention {form}, {selected.Length} of {a.Depth} blocks"),
        };
        return new(converted, [.. selected.Select(i => new LayerChange(LayerSelection.AttentionName(i), "softmax", $"{form}"))]);
    }

    static Attention Convert(Attention attention, VitArchitecture a, AttentionForm form, int block) => attention with
    {
        Qkv = attention.Qkv.MapLinears(linear => linear.Role == LinearRole.Qkv && linear.Bias is null
            ? linear with { Bias = new(new(linear.Outputs), new float[linear.Outputs]) }
            : linear),
        Parameters = new()
        {
            KeyBias = form.KeyBias
                ? new($"{LayerSelection.AttentionName(block)}.key_bias", LinearRole.KeyBias, new DenseWeight(Fill(0, a.Heads, a.Width)), null) : null,
            Temperature = form.Kind == AttentionKind.Quadratic ? Fill(1 / MathF.Sqrt(a.HeadSize), a.Heads) : null,
            // e^z is nearly 1 + z, z = q . k / sqrt D, and a query nearly its mean magnitude times its code.
            Gain = form.Kind == AttentionKind.Taylor ? Fill(1 / MathF.Sqrt(a.HeadSize), a.Width) : null,
            Skip = form.Kind == AttentionKind.Taylor ? Fill(0, a.Width) : null,
            Convolution = !form.Convolution ? null
                : form.Kind == AttentionKind.Taylor ? Fill(0, a.Width, Convolutions.GridTaps) : Fill(0, a.Heads, Convolutions.TokenTaps),
            Hash = form.Codes == CodeRule.Ksh ? RandomHash(a, form.CodeBits, new(HashSeed + block)) : null,
        },
    };

    /// <summary>
    /// Anchors and projections from a normal distribution, anchors of length 1. Unit vectors of many channels are sqrt 2 apart, which says spread and mean.
    /// </summary>
    static KernelHash RandomHash(VitArchitecture a, int bits, Random random)
    {
        const int anchors = KernelHash.AnchorCount;
        var points = Normal(random, a.Heads * anchors * a.HeadSize);
        for (var i = 0; i < points.Length; i += a.HeadSize)
        {
            var point = points.AsSpan(i, a.HeadSize);
            var length = 0f;
            foreach (var value in point) length += value * value;
            length = MathF.Sqrt(length);
            foreach (ref var value in point) value /= length;
        }
        return new(
            new(new(a.Heads, anchors, a.HeadSize), points), Fill(2, a.Heads), Fill(MathF.Exp(-0.5f), a.Heads, anchors),
            new(new(a.Heads, bits, anchors), Normal(random, a.Heads * bits * anchors)));
    }

    static Tensor Fill(float value, params int[] extents)
    {
        var shape = new Shape(extents);
        var values = new float[shape.ElementCount];
        Array.Fill(values, value);
        return new(shape, values);
    }

    /// <summary>Box and Muller's method.</summary>
    internal static float[] Normal(Random random, int count)
    {
        var values = new float[count];
        foreach (ref var value in values.AsSpan())
            value = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }
}
