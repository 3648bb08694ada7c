using System.Text.Json.Serialization;
using ShiftAddVit.Reports;

namespace ShiftAddVit.Cli.Output;

sealed record InspectResult(
    string File, string Stage, long Bytes, string[]? ElementTypes, long PackedBytes, string Sha256, ArchitectureResult Architecture,
    PreprocessingResult? Preprocessing, bool ClassNames, string Source, string[] Steps, ModelNode Model);

sealed record ArchitectureResult(
    int ImageSize, int PatchSize, int Tokens, int Width, int Depth, int Heads, int MlpWidth, int Classes, bool QkvBias,
    bool DistillationToken);

sealed record PreprocessingResult(int? Resize, int Crop, float[] Mean, float[] Std);

sealed record ReparameterizeResult(string Output, long Bytes, string Sha256, double Seconds, ChangeResult[] Changes);

sealed record ChangeResult(string Layer, string From, string To, double? RelativeError, double? BitsPerWeight);

sealed record CompareResult(string First, string Second, DifferenceResult[] Differences, TopResult[] FirstTop, TopResult[] SecondTop);

sealed record DifferenceResult(string Kind, string Layer, double RelativeError, double MaxDifference, double Cosine);

sealed record RunResult(ImageResult[] Results);

sealed record ImageResult(string Image, TopResult[] Top)
{
    /// <summary>Of <c>--explain</c>, as what follows.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public string? Picture { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public MixtureResult[]? Mixtures { get; init; }
}

/// <summary>Where one mixture sent the tokens of an image.</summary>
sealed record MixtureResult(string Layer, ExpertResult[] Experts);

sealed record ExpertResult(string Format, double Share, int Tokens);

sealed record TopResult(int ClassIndex, string ClassName, float Probability, float Logit);

sealed record EvalResult(double Top1, double Top5, int Images, double ImagesPerSecond);

sealed record BenchResult(BenchRow[] Results)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public BudgetRow[]? Budget { get; init; }

    /// <summary>Billions of multiply-adds a second of loops of byte dot products, and of float32, measured beside the budget.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? PeakByteProducts { get; init; }
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? PeakMultiplyAdds { get; init; }
}

/// <summary>What a call spends on one kind of work: milliseconds, share of the call, multiply-adds (0 for what is no product).</summary>
sealed record BudgetRow(string Work, double Ms, double Share, long MultiplyAdds)
{
    /// <summary>What its products and multiplications would take at the peaks; none where those are unknown.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? FloorMs { get; init; }
}

/// <summary>What follows the number of calls is of an engine beside ours: its time over ours, and how far its logits are from ours.</summary>
sealed record BenchRow(
    string Engine, string Model, int Batch, int Threads, double MedianMs, double MinMs, double MaxMs, double Spread, int Calls)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? Ratio { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? MaxLogitDifference { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? LogitDifferenceShare { get; init; }

    /// <summary>
    /// Of models with mixtures: the median if the experts of a mixture ran at the same time and dispatch cost nothing, as papers report it; no time
    /// that a call takes here.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? IdealParallelMs { get; init; }

    /// <summary>Likewise: routers and gathering as a share of the mixtures' time.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public double? DispatchShare { get; init; }
}

sealed record TuneResult(string Model, string? Cache, DecisionRow[] Results)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] public MixtureLatencyRow[]? Mixtures { get; init; }
}

sealed record MixtureLatencyRow(string Layer, ExpertLatencyRow[] Experts);

sealed record ExpertLatencyRow(string Format, double UsPerToken, double Alpha, double Share);

sealed record DecisionRow(
    string Subject, string Pick, double PickUs, string? RunnerUp, double? RunnerUpUs, string Static, double StaticUs, double GainPercent);

sealed record CompletionResult(string Shell, string Script);

sealed record DoctorResult(
    string Version, string Runtime, string System, string Cpu, int Processors, double MemoryGib,
    string ImageLibrary, string Tuning, KernelRow[] Kernels, KnobRow[] Knobs, string[] Problems);

sealed record KernelRow(string Name, string Verdict, string Reason);

sealed record KernelsResult(KernelShapeResult[] Shapes, HeadShapeResult[] Heads);

/// <summary>One product of attention with one-bit codes; m, k and n are those of one head, and so are times and rates.</summary>
sealed record HeadShapeResult(
    string Product, int Heads, int Tokens, int HeadSize, int CodeBits, int M, int K, int N, double? PeakMultiplyAdds, double? PeakByteProducts,
    KernelTimingRow[] Kernels);

/// <summary>Rates are in billions of multiply-adds a second; the rate of stores is that of a kernel that only stores its int32 outputs.</summary>
sealed record KernelShapeResult(
    int M, int K, int N, double? PeakMultiplyAdds, double? PeakByteProducts, double Stores, KernelTimingRow[] Kernels, EpilogueTimingRow[] Epilogues,
    PickRow[] Picks);

/// <summary>What runs a layer, tuned or not, beside the fastest kernel that could.</summary>
sealed record PickRow(string Layer, string Kernel, double Us, string Fastest, double FastestUs, double SlowerPercent);

sealed record EpilogueTimingRow(
    string Name, double MinMs, double MedianMs, double GigaOperationsPerSecond, double? ShareOfPeak, bool Correct);

sealed record KernelTimingRow(
    string Name, string Verdict, string Reason, string Schedule, double? MinMs, double? MedianMs, double? GigaOperationsPerSecond,
    double? ShareOfPeak, double? SpeedupOverFloat32, bool? Correct);

sealed record KnobsResult(KnobRow[] Knobs);

sealed record KnobRow(string Name, string? Value, string Default, string Allowed, string Purpose);

/// <summary>The shapes that <c>--json</c> prints; names are in snake case.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true)]
[JsonSerializable(typeof(InspectResult))]
[JsonSerializable(typeof(ReparameterizeResult))]
[JsonSerializable(typeof(CompareResult))]
[JsonSerializable(typeof(RunResult))]
[JsonSerializable(typeof(EvalResult))]
[JsonSerializable(typeof(BenchResult))]
[JsonSerializable(typeof(TuneResult))]
[JsonSerializable(typeof(CompletionResult))]
[JsonSerializable(typeof(DoctorResult))]
[JsonSerializable(typeof(KernelsResult))]
[JsonSerializable(typeof(KnobsResult))]
sealed partial class ResultJson : JsonSerializerContext;
