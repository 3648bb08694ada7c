using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>What a form of attention has besides its layers; what it has none of is null (<see cref="AttentionForm"/> says which).</summary>
public sealed record AttentionParameters
{
    /// <summary>Of softmax attention.</summary>
    public static AttentionParameters None { get; } = new();

    /// <summary>beta = W x, [H,C], without a bias, which softmax would take no notice of.</summary>
    public Linear? KeyBias { get; init; }

    /// <summary>tau, [H].</summary>
    public Tensor? Temperature { get; init; }

    /// <summary>g, [C]: a factor for each channel of each head.</summary>
    public Tensor? Gain { get; init; }

    /// <summary>a, [C], likewise.</summary>
    public Tensor? Skip { get; init; }

    /// <summary>[C,9], the 3x3 filter of each channel, row by row; or [H,9], the filter of each head along the tokens.</summary>
    public Tensor? Convolution { get; init; }

    /// <summary>How queries and keys are hashed.</summary>
    public KernelHash? Hash { get; init; }

    /// <summary>The same with every tensor replaced by <paramref name="map"/> of its name and value; the key bias stays.</summary>
    internal AttentionParameters MapTensors(string prefix, Func<string, Tensor, Tensor> map)
    {
        return this with
        {
            Temperature = Map("temperature", Temperature), Gain = Map("gain", Gain), Skip = Map("skip", Skip),
            Convolution = Map("convolution", Convolution),
            Hash = Hash is null ? null : new(
                map(prefix + "hash.anchors", Hash.Anchors), map(prefix + "hash.spread", Hash.Spread),
                map(prefix + "hash.mean", Hash.Mean), map(prefix + "hash.projection", Hash.Projection)),
        };

        Tensor? Map(string name, Tensor? tensor) => tensor is null ? null : map(prefix + name, tensor);
    }
}

/// <summary>
/// Kernelised supervised hashing (Liu et al. 2012; EcoFormer): with x of length 1, K_a = e^(-||x - anchor_a||^2 / (2 spread)), bit r of a code is
/// SUM_a projection_ra (K_a - mean_a) > 0. One hash a head, for queries and keys. A = 25 anchors, I bits.
/// </summary>
/// <param name="Anchors">[H,A,D].</param>
/// <param name="Spread">[H], positive.</param>
/// <param name="Mean">[H,A].</param>
/// <param name="Projection">[H,I,A].</param>
public sealed record KernelHash(Tensor Anchors, Tensor Spread, Tensor Mean, Tensor Projection)
{
    /// <summary>A, as in the papers.</summary>
    public const int AnchorCount = 25;
}

/// <summary>The depthwise convolutions that attention forms add.</summary>
public static class Convolutions
{
    /// <summary>Taps of the 3x3 filter on the patch grid.</summary>
    public const int GridTaps = 9;

    /// <summary>Taps of the filter along the tokens.</summary>
    public const int TokenTaps = 9;
}
