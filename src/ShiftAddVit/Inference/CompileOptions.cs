using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference;

/// <summary>How a model is bound to this machine.</summary>
public sealed record CompileOptions
{
    /// <summary>Kernels to choose from; null for those that this process's knobs allow.</summary>
    public KernelRegistry? Registry { get; init; }

    /// <summary>What is known to be fast here; null for what <see cref="TuningCache.Default"/> keeps. It changes no result.</summary>
    public TunedChoices? Tuned { get; init; }

    /// <summary>
    /// Whether attention, GELU and the patch embedding are computed in float32. By default a model whose blocks are quantised computes
    /// them from bytes and tables too, which is faster: queries, keys and probabilities in 8 bits, values in 8 bits with one scale a head and
    /// channel, GELU from 32 straight lines, an exponential of 256 steps, and an S8 patch embedding. Dense models are always exact.
    /// </summary>
    public bool Exact { get; init; }
}
