namespace ShiftAddVit.Inference;

/// <summary>Which activation of the forward pass is seen.</summary>
public enum ActivationKind
{
    /// <summary>What enters a linear layer, before any quantisation: [B*N, K]; the name is the layer's.</summary>
    LinearInput,

    /// <summary>The residual stream after the embedding (<c>embed</c>) or a block (<c>blocks.0</c>): [B*N, C].</summary>
    Residual,

    /// <summary>What a mixture chose for each token: [B*N,2], the number of the expert and its gate; the name is the mixture's.</summary>
    Routing,

    /// <summary>The model's output (<c>logits</c>): [B, classes].</summary>
    Logits,
}

/// <summary>One activation of a forward pass.</summary>
/// <param name="kind">Which it is.</param>
/// <param name="name">Of which layer.</param>
/// <param name="columns">Length of a row.</param>
/// <param name="values">The rows, one after the other; valid during the call only.</param>
public readonly ref struct Activation(ActivationKind kind, string name, int columns, ReadOnlySpan<float> values)
{
    internal const int RoutingColumns = 2;

    /// <summary>Which it is.</summary>
    public ActivationKind Kind { get; } = kind;

    /// <summary>Of which layer.</summary>
    public string Name { get; } = name;

    /// <summary>Length of a row.</summary>
    public int Columns { get; } = columns;

    /// <summary>The rows, one after the other; valid during the call only.</summary>
    public ReadOnlySpan<float> Values { get; } = values;

    /// <summary>Number of rows.</summary>
    public int Rows => Values.Length / Columns;
}

/// <summary>
/// Sees the activations of a forward pass, in order, on the thread that called <see cref="Session.Run(ReadOnlySpan{float}, int, Span{float})"/>.
/// </summary>
public delegate void ActivationObserver(in Activation activation);
