using System.Collections.Immutable;

namespace ShiftAddVit.Models;

/// <summary>What a caller knows about a checkpoint beyond its tensors. What is null is found out or left unknown.</summary>
/// <param name="Architecture">A name of <see cref="KnownArchitecture.All"/>: settles heads and pre-processing.</param>
/// <param name="Heads">H, attention heads.</param>
/// <param name="Mean">Three means; needs <paramref name="Std"/>.</param>
/// <param name="Std">Three standard deviations; needs <paramref name="Mean"/>.</param>
/// <param name="Crop">Side of the crop and so of the model's input, in pixels: positions are resampled to it.</param>
/// <param name="ClassNames">A name for each class.</param>
public sealed record LoadOptions(
    string? Architecture = null, int? Heads = null, ImmutableArray<float>? Mean = null, ImmutableArray<float>? Std = null,
    int? Crop = null, ImmutableArray<string>? ClassNames = null);
