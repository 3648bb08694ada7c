using System.Text.Json.Nodes;
using ShiftAddVit.Reports;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Benchmarks;

/// <summary>The fp32 MatMul that other kernels are compared with, beside ONNX Runtime's: in turns in one process, on the same random operands.</summary>
static class MatMulComparison
{
    static readonly TimeSpan Each = TimeSpan.FromSeconds(3);

    /// <summary>DeiT-Tiny's fc1, then a wide and a deep layer of the paper's.</summary>
    static readonly MatrixShape[] Shapes = [new(196, 192, 768), new(3136, 64, 512), new(784, 1024, 128)];

    /// <summary>Times all shapes; a row for each as JSON.</summary>
    public static JsonObject Run() => new() { ["results"] = new JsonArray([.. Shapes.Select(Compare)]) };

    static JsonObject Compare(MatrixShape shape)
    {
        var random = new Random(1);
        var (x, weights) = (Floats(random, shape.M * shape.K), Floats(random, shape.N * shape.K));
        using var ours = new OurMatMul(shape, x, weights);
        using var theirs = new OnnxRuntimeMatMul(shape, x, Transpose(weights, shape.N, shape.K));
        var times = LatencyBenchmark.Run([ours, theirs], Each);
        return new()
        {
            ["m"] = shape.M, ["k"] = shape.K, ["n"] = shape.N, ["kernel"] = ours.Model, ["calls"] = times[0].Calls,
            ["min_ms"] = times[0].MinMs, ["median_ms"] = times[0].MedianMs,
            ["onnxruntime_min_ms"] = times[1].MinMs, ["onnxruntime_median_ms"] = times[1].MedianMs,
            ["ratio"] = Math.Round(times[1].MedianMs / times[0].MedianMs, 3), ["ratio_of_min"] = Math.Round(times[1].MinMs / times[0].MinMs, 3),
            ["max_difference"] = LogitDifference.Between(ours.Logits, theirs.Logits).Largest,
        };
    }

    static float[] Floats(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];

    static float[] Transpose(float[] rows, int count, int length) =>
        [.. Enumerable.Range(0, count * length).Select(i => rows[i % count * length + i / count])];
}
