using System.Diagnostics;
using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Reports;

/// <summary>Times of one configuration, in milliseconds a call.</summary>
/// <param name="Batch">B, images a call.</param>
/// <param name="Threads">Threads that the call uses.</param>
/// <param name="MedianMs">Median over the timed calls.</param>
/// <param name="MinMs">Fastest timed call.</param>
/// <param name="MaxMs">Slowest timed call.</param>
/// <param name="Calls">How many calls were timed.</param>
public readonly record struct Latency(int Batch, int Threads, double MedianMs, double MinMs, double MaxMs, int Calls);

/// <summary>Times a model on random images, never on zeros; warm-up first.</summary>
public static class LatencyBenchmark
{
    const int MaxWarmUpCalls = 3;

    /// <summary>Times one batch size and number of threads.</summary>
    /// <param name="model">The model.</param>
    /// <param name="batch">B, images a call.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="duration">
    /// How long to go on; at least one call is timed. The warm-up before it, up to three calls and at least one, begins no call after that
    /// time either.
    /// </param>
    /// <param name="cancellation">Looked at before each call.</param>
    public static Latency Run(CompiledModel model, int batch, int threads, TimeSpan duration, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var session = model.CreateSession(new() { MaxBatch = batch, Threads = threads });
        var images = RandomImages(model.Architecture, batch);
        var logits = new float[batch * model.Architecture.Classes];
        Time(Call, duration, MaxWarmUpCalls, cancellation);
        var times = Time(Call, duration, int.MaxValue, cancellation);
        times.Sort();
        return new(batch, threads, Median(times), times[0], times[^1], times.Count);

        void Call() => session.Run(images, batch, logits);
    }

    /// <summary>Calls until the time or the calls are used up, at least once; the time of each, in milliseconds.</summary>
    static List<double> Time(Action call, TimeSpan duration, int maxCalls, CancellationToken cancellation)
    {
        var times = new List<double>();
        var started = Stopwatch.GetTimestamp();
        do
        {
            cancellation.ThrowIfCancellationRequested();
            var called = Stopwatch.GetTimestamp();
            call();
            times.Add(Stopwatch.GetElapsedTime(called).TotalMilliseconds);
        }
        while (times.Count < maxCalls && Stopwatch.GetElapsedTime(started) < duration);
        return times;
    }

    /// <summary>Uniform values in -2..2, about what normalised images hold; the same ones every time.</summary>
    static float[] RandomImages(VitArchitecture architecture, int batch)
    {
        var random = new Random(1);
        var images = new float[batch * VitArchitecture.Channels * architecture.ImageSize * architecture.ImageSize];
        for (var i = 0; i < images.Length; i++) images[i] = random.NextSingle() * 4 - 2;
        return images;
    }

    static double Median(List<double> sorted) => (sorted[(sorted.Count - 1) / 2] + sorted[sorted.Count / 2]) / 2;
}
