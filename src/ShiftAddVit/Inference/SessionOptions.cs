namespace ShiftAddVit.Inference;

/// <summary>How a session runs.</summary>
public sealed record SessionOptions
{
    /// <summary>The most images that a call takes; memory is reserved for that many.</summary>
    public int MaxBatch { get; init; } = 1;

    /// <summary>Threads that a call uses, the caller included. The result does not depend on it.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Sees the activations of every call; null for none. Costs memory and time.</summary>
    public ActivationObserver? Observer { get; init; }
}
