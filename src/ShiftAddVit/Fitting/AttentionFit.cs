using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Fitting;

/// <summary>Fits the binary attention of a model, block by block, to the softmax attention of the model it was made from (<see cref="BlockFit"/>).</summary>
public static class AttentionFit
{
    /// <summary>What tokens may take at a time, of all images and of as many blocks as fit; one block at least.</summary>
    const long TokenBytes = 400L << 20;

    /// <summary>Fits every block of binary attention to tokens that enter it in the dense model.</summary>
    /// <param name="dense">The model with softmax attention and dense layers.</param>
    /// <param name="converted">What <see cref="AttentionPass"/> made of it.</param>
    /// <param name="images">How many images there are.</param>
    /// <param name="load">Puts an image, prepared, into [3,S,S]; called for each in order, possibly several times.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="progress">Told how many of the images and blocks are done.</param>
    /// <param name="cancellation">Looked at before each image and each block.</param>
    /// <exception cref="ShiftAddVitException">The model's layers are not dense, or the images overflow it.</exception>
    public static PassResult Apply(
        VitGraph dense, PassResult converted, int images, Action<int, float[]> load, int threads,
        IProgress<PassProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(dense);
        ArgumentNullException.ThrowIfNull(converted);
        ArgumentNullException.ThrowIfNull(load);
        ArgumentOutOfRangeException.ThrowIfLessThan(images, 1);
        RequireDense(dense);
        var a = converted.Graph.Architecture;
        int[] blocks = [.. Enumerable.Range(0, a.Depth).Where(i => a.Forms[i].Attention.IsBinary)];
        var group = (int)Math.Clamp(TokenBytes / (images * BlockTokens.ImageBytes(a.Tokens, a.Width)), 1, blocks.Length);
        var (fitted, errors, done) = (converted.Graph.Blocks.ToArray(), new double[a.Depth], 0);
        var total = (blocks.Length + group - 1) / group * images + blocks.Length;
        foreach (var chunk in blocks.Chunk(group))
        {
            var tokens = Observe(dense, chunk, images, load, threads, () => Report(1), cancellation);
            var failed = false;
            Parallel.ForEach(chunk, new() { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i =>
            {
                try
                {
                    var (attention, error) = new BlockFit(new(KernelRegistry.Default), dense.Blocks[i], a, i, tokens[i]).Run();
                    (fitted[i], errors[i]) = (fitted[i] with { Attention = attention }, error);
                    Report(1);
                }
                catch (ArithmeticException)
                {
                    failed = true;
                }
            });
            if (failed) throw new ShiftAddVitException($"{dense.Provenance.Source}: attention can not be fitted to these images: their tokens overflow float32");
        }
        var graph = converted.Graph with { Blocks = [.. fitted], Provenance = converted.Graph.Provenance.With($"attention fitted to {images} images") };
        return new(graph, [.. converted.Changes.Select((change, i) => change with { RelativeError = errors[blocks[i]] })]);

        void Report(int more) => progress?.Report(new(Interlocked.Add(ref done, more), total));
    }

    static void RequireDense(VitGraph graph)
    {
        foreach (var block in graph.Blocks)
            foreach (var layer in (Layer[])[block.Attention.Qkv, block.Attention.Projection])
                if (layer is not Linear { Weight: DenseWeight })
                    throw new ShiftAddVitException($"{graph.Provenance.Source}: {layer.Name} is not dense; attention is fitted before layers are converted");
    }

    /// <summary>Runs the dense model and keeps what enters and leaves the attention of some blocks.</summary>
    static Dictionary<int, BlockTokens> Observe(
        VitGraph dense, int[] blocks, int images, Action<int, float[]> load, int threads, Action step, CancellationToken cancellation)
    {
        var a = dense.Architecture;
        var tokens = blocks.ToDictionary(i => i, _ => new BlockTokens(a.Tokens, a.Width, images));
        var inputs = blocks.ToDictionary(i => dense.Blocks[i].Attention.Qkv.Name);
        var outputs = blocks.ToDictionary(i => dense.Blocks[i].Attention.Projection.Name);
        using var model = CompiledModel.Compile(dense);
        using var session = model.CreateSession(new() { Threads = threads, Observer = Keep });
        var (image, logits) = (new float[VitArchitecture.Channels * a.ImageSize * a.ImageSize], new float[a.Classes]);
        for (var i = 0; i < images; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            load(i, image);
            session.Run(image, 1, logits);
            step();
        }
        return tokens;

        void Keep(in Activation activation)
        {
            if (activation.Kind != ActivationKind.LinearInput) return;
            if (inputs.TryGetValue(activation.Name, out var block)) tokens[block].Add(activation, isInput: true);
            else if (outputs.TryGetValue(activation.Name, out block)) tokens[block].Add(activation, isInput: false);
        }
    }
}
