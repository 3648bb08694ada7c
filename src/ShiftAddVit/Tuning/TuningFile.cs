using System.Collections.Immutable;
using System.Text.Json.Serialization;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>The cache file: where its numbers come from, and the choices.</summary>
sealed record TuningFile(
    string Cpu, string Version, string Kernels, string[] Missing, KernelEntry[] Shapes, RowBlockEntry[] RowBlocks, SplitEntry[] Splits)
{
    public static TuningFile Of(TuningOrigin origin, TunedChoices choices) => new(
        origin.Cpu, origin.Version, origin.Kernels, [.. origin.Missing],
        [.. choices.Kernels.Select(pair => new KernelEntry(
            pair.Key.Weights, pair.Key.M, pair.Key.K, pair.Key.N, pair.Key.Output, pair.Key.HeadSize, $"{pair.Value}"))
            .OrderBy(entry => (entry.Weights, entry.M, entry.K, entry.N, entry.Output, entry.HeadSize))],
        [.. choices.RowBlocks.Select(pair => new RowBlockEntry(
            pair.Key.Weights, pair.Key.Tokens, pair.Key.Width, pair.Key.MlpWidth, pair.Key.HeadSize, pair.Key.Threads, pair.Key.Images, pair.Value))
            .OrderBy(entry => (entry.Weights, entry.Tokens, entry.Width, entry.MlpWidth, entry.HeadSize, entry.Threads, entry.Images))],
        [.. choices.Splits.Select(pair => new SplitEntry(
            pair.Key.Tokens, pair.Key.Heads, pair.Key.HeadSize, pair.Key.Threads, pair.Value.Queries, pair.Value.PartsPerThread))
            .OrderBy(entry => (entry.Tokens, entry.Heads, entry.HeadSize, entry.Threads))]);

    [JsonIgnore]
    public TuningOrigin Origin => new(Cpu, Version, Kernels, [.. Missing]);

    /// <summary>What it says, without what can not be: a name outside the grammar, a block or a split out of bounds.</summary>
    public TunedChoices Choices()
    {
        var kernels = ImmutableDictionary.CreateBuilder<LinearShape, KernelName>();
        foreach (var entry in Shapes)
            if (KernelName.TryParse(entry.Kernel, out var name)) kernels[new(entry.Weights, entry.M, entry.K, entry.N, entry.Output, entry.HeadSize)] = name;
        var blocks = ImmutableDictionary.CreateBuilder<RowChain, int>();
        foreach (var entry in RowBlocks)
            if (entry.Rows is >= RowChain.LeastRows and <= RowChain.MostRows)
                blocks[new(entry.Weights, entry.Tokens, entry.Width, entry.MlpWidth, entry.HeadSize, entry.Threads, entry.Images)] = entry.Rows;
        var splits = ImmutableDictionary.CreateBuilder<AttentionShape, AttentionSplit>();
        foreach (var entry in Splits)
            if (new AttentionSplit(entry.Queries, entry.PartsPerThread) is { IsAllowed: true } split)
                splits[new(entry.Tokens, entry.Heads, entry.HeadSize, entry.Threads)] = split;
        return new(kernels.ToImmutable(), blocks.ToImmutable(), splits.ToImmutable());
    }
}

/// <summary>The kernel of a shape.</summary>
readonly record struct KernelEntry(WeightFormat Weights, int M, int K, int N, LinearOutput Output, int HeadSize, string Kernel);

/// <summary>The rows of a block.</summary>
readonly record struct RowBlockEntry(WeightFormat Weights, int Tokens, int Width, int MlpWidth, int HeadSize, int Threads, int Images, int Rows);

/// <summary>How attention is cut.</summary>
readonly record struct SplitEntry(int Tokens, int Heads, int HeadSize, int Threads, int Queries, int PartsPerThread);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, MaxDepth = 8, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(TuningFile))]
sealed partial class TuningJson : JsonSerializerContext;
