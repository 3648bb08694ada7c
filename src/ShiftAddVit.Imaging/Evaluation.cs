using System.Diagnostics;
using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Imaging;

/// <summary>Accuracy of a model on a labelled set.</summary>
/// <param name="Top1">Images whose class is the best, in per cent.</param>
/// <param name="Top5">Images whose class is among the best five, in per cent.</param>
/// <param name="Images">Number of images.</param>
/// <param name="ImagesPerSecond">Throughput, decoding included.</param>
public sealed record EvaluationResult(double Top1, double Top5, int Images, double ImagesPerSecond);

/// <summary>Scores a model on labelled images.</summary>
public static class Evaluation
{
    /// <summary>Classifies every image; each thread has a session and takes whole images.</summary>
    /// <param name="model">The model.</param>
    /// <param name="set">Images and classes.</param>
    /// <param name="preprocessing">What is done to the images.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="progress">Told the number of images done.</param>
    /// <param name="cancellation">Looked at before each image.</param>
    /// <exception cref="ShiftAddVitException">An image cannot be used (the message names it), or the crop is not the model's image size.</exception>
    /// <exception cref="ArgumentException">The set has classes that the model does not have.</exception>
    public static EvaluationResult Run(
        CompiledModel model, LabeledImageSet set, Preprocessing preprocessing, int threads,
        IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(set);
        ArgumentNullException.ThrowIfNull(preprocessing);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        preprocessing.Validate(set.Directory, model.Architecture.ImageSize);
        if (set.Items.Max(item => item.ClassIndex) >= model.Architecture.Classes) throw new ArgumentException("more classes than the model's", nameof(set));
        var preprocessor = new ImagePreprocessor(preprocessing);
        var ranks = new int[set.Count];
        var (next, done) = (-1, 0);
        var started = Stopwatch.GetTimestamp();
        WorkerThreads.Run(Math.Min(threads, set.Count), token =>
        {
            using var session = model.CreateSession();
            var (image, logits) = (new float[preprocessor.Length], new float[model.Architecture.Classes]);
            while (Interlocked.Increment(ref next) is var index && index < set.Count)
            {
                token.ThrowIfCancellationRequested();
                preprocessor.Load(set.Items[index].Path, image);
                session.Run(image, 1, logits);
                ranks[index] = Rank(logits, set.Items[index].ClassIndex);
                progress?.Report(Interlocked.Increment(ref done));
            }
        }, cancellation);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new(
            100.0 * ranks.Count(rank => rank == 0) / set.Count, 100.0 * ranks.Count(rank => rank < 5) / set.Count, set.Count, set.Count / seconds);
    }

    /// <summary>How many classes come before one; of equal logits the lower index comes first.</summary>
    static int Rank(ReadOnlySpan<float> logits, int classIndex)
    {
        var rank = 0;
        for (var i = 0; i < logits.Length; i++)
            if (logits[i] > logits[classIndex] || (logits[i] == logits[classIndex] && i < classIndex)) rank++;
        return rank;
    }
}
