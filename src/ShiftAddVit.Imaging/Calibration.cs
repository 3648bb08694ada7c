using ShiftAddVit.Fitting;
using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Imaging;

/// <summary>Runs a model on sample images and gathers the statistics that a pass asks for.</summary>
public static class Calibration
{
    /// <summary>Second moments of the inputs of every layer that <see cref="LinearPass"/> converts. Deterministic.</summary>
    /// <param name="graph">The dense model.</param>
    /// <param name="images">Image files, used in this order.</param>
    /// <param name="preprocessing">What is done to the images.</param>
    /// <param name="threads">Threads to use; the result does not depend on them.</param>
    /// <param name="progress">Told the number of images done.</param>
    /// <param name="cancellation">Looked at before each image.</param>
    /// <exception cref="ShiftAddVitException">An image cannot be used (the message names it), or the crop is not the model's image size.</exception>
    public static IReadOnlyDictionary<string, SecondMoment> SecondMoments(
        VitGraph graph, IReadOnlyList<string> images, Preprocessing preprocessing, int threads,
        IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(images);
        ArgumentNullException.ThrowIfNull(preprocessing);
        var wanted = graph.Layers().Where(LinearPass.Converts).Select(linear => linear.Name).ToHashSet();
        var collector = new SecondMomentCollector(wanted.Contains, threads);
        Run(graph, images, preprocessing, threads, collector.Observe, progress, cancellation);
        return collector.Result();
    }

    /// <summary>Some of the tokens that enter the mixtures of a model, by <see cref="GraphMixture.Input"/>. Deterministic.</summary>
    /// <param name="graph">A model with mixtures.</param>
    /// <param name="images">Image files, used in this order.</param>
    /// <param name="preprocessing">What is done to the images.</param>
    /// <param name="threads">Threads to use; the result does not depend on them.</param>
    /// <param name="progress">Told the number of images done.</param>
    /// <param name="cancellation">Looked at before each image.</param>
    /// <exception cref="ShiftAddVitException">An image cannot be used (the message names it), or the crop is not the model's image size.</exception>
    public static IReadOnlyDictionary<string, TokenSample> MixtureInputs(
        VitGraph graph, IReadOnlyList<string> images, Preprocessing preprocessing, int threads,
        IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(images);
        ArgumentNullException.ThrowIfNull(preprocessing);
        var wanted = graph.Mixtures().Select(mixture => mixture.Input).ToHashSet();
        var sampler = new TokenSampler(wanted.Contains, (long)images.Count * graph.Architecture.Tokens);
        Run(graph, images, preprocessing, threads, sampler.Observe, progress, cancellation);
        return sampler.Result();
    }

    static void Run(
        VitGraph graph, IReadOnlyList<string> images, Preprocessing preprocessing, int threads, ActivationObserver observer,
        IProgress<int>? progress, CancellationToken cancellation)
    {
        preprocessing.Validate(graph.Provenance.Source, graph.Architecture.ImageSize);
        using var model = CompiledModel.Compile(graph);
        using var session = model.CreateSession(new() { Threads = threads, Observer = observer });
        var preprocessor = new ImagePreprocessor(preprocessing);
        var (image, logits) = (new float[preprocessor.Length], new float[graph.Architecture.Classes]);
        for (var i = 0; i < images.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            preprocessor.Load(images[i], image);
            session.Run(image, 1, logits);
            progress?.Report(i + 1);
        }
    }

    /// <summary>Fits binary attention to sample images: <see cref="AttentionFit"/>.</summary>
    /// <param name="dense">The model with softmax attention.</param>
    /// <param name="converted">The same with binary attention.</param>
    /// <param name="images">Image files, used in this order.</param>
    /// <param name="preprocessing">What is done to the images.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="progress">Told how much is done.</param>
    /// <param name="cancellation">Looked at before each image and block.</param>
    /// <exception cref="ShiftAddVitException">An image cannot be used (the message names it), or the crop is not the model's image size.</exception>
    public static PassResult Attention(
        VitGraph dense, PassResult converted, IReadOnlyList<string> images, Preprocessing preprocessing, int threads,
        IProgress<PassProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(dense);
        ArgumentNullException.ThrowIfNull(images);
        ArgumentNullException.ThrowIfNull(preprocessing);
        preprocessing.Validate(dense.Provenance.Source, dense.Architecture.ImageSize);
        var preprocessor = new ImagePreprocessor(preprocessing);
        return AttentionFit.Apply(dense, converted, images.Count, (i, image) => preprocessor.Load(images[i], image), threads, progress, cancellation);
    }
}
