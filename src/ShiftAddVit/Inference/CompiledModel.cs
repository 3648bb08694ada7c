using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference;

/// <summary>
/// A model bound to this machine: kernels chosen, weights in their order. Immutable and thread-safe; each thread runs a
/// <see cref="Session"/> of its own. Must outlive its sessions.
/// </summary>
public sealed class CompiledModel : IDisposable
{
    readonly List<IDisposable> _memory = [];
    readonly RowChain _chain;
    readonly TunedChoices _tuned;

    CompiledModel(VitGraph graph, CompileOptions options)
    {
        var registry = options.Registry ?? KernelRegistry.Default;
        string? warning = null;
        (_tuned, _chain) = (options.Tuned ?? TuningCache.Default.Read(registry, out warning), RowChain.Of(graph, threads: 1));
        Warnings = warning is null ? [] : [warning];
        Exact = options.Exact || !ModelShapes.RunsInBytes(graph);
        (Architecture, Preprocessing, ClassNames, Source, Registry) =
            (graph.Architecture, graph.Preprocessing, graph.ClassNames, graph.Provenance.Source, registry);
        HasMixtures = graph.Mixtures().Any();
        Embedding = Compile(Exact ? graph.Embedding.Projection : InBytes(graph.Embedding.Projection));
        ClassToken = Own(AlignedBuffer.Copy(graph.Embedding.ClassToken.Values));
        DistillationToken = graph.Embedding.DistillationToken is { } token ? Own(AlignedBuffer.Copy(token.Values)) : null;
        Positions = Own(AlignedBuffer.Copy(graph.Embedding.Positions.Values));
        Blocks = [.. graph.Blocks.Select((block, i) => Compile(block, graph.Architecture.Forms[i].Attention))];
        var (a, attention) = (graph.Architecture, Exact ? WeightFormat.F32 : WeightFormat.S8);
        ScoreKernel = _tuned.Kernel(registry, ModelShapes.Scores(attention, a.Tokens, a.HeadSize));
        ValueKernel = _tuned.Kernel(registry, ModelShapes.Values(attention, a.Tokens, a.HeadSize));
        Norm = Compile(graph.Norm);
        Head = Compile(graph.Head);
        DistillationHead = graph.DistillationHead is { } head ? Compile(head) : null;
        var layers = _memory.OfType<CompiledLinear>().Except(Blocks.Select(block => block.Attention.KeyBias).OfType<CompiledLinear>()).ToArray();
        foreach (var (layer, next) in layers.Zip(layers.Skip(1))) layer.RunsBefore(next);
    }

    /// <summary>The numbers that fix every shape.</summary>
    public VitArchitecture Architecture { get; }

    /// <summary>What the model expects of its images; null when nothing said so.</summary>
    public Preprocessing? Preprocessing { get; }

    /// <summary>A name for each class, or empty.</summary>
    public ImmutableArray<string> ClassNames { get; }

    /// <summary>Names of the kernels in use, each once.</summary>
    public IEnumerable<string> KernelNames =>
        _memory.OfType<CompiledLinear>().Select(linear => linear.KernelName).Append($"{ScoreKernel.Name}").Append($"{ValueKernel.Name}").Distinct();

    /// <summary>Whether attention, GELU and the patch embedding run in float32 (<see cref="CompileOptions.Exact"/>).</summary>
    public bool Exact { get; }

    /// <summary>What GELU is computed from: its formula, or a table.</summary>
    internal Epilogue Gelu => Exact ? Epilogue.Gelu : Epilogue.TableGelu;

    /// <summary>Whether tokens choose among experts in any layer.</summary>
    public bool HasMixtures { get; }

    /// <summary>What was passed over when the model was compiled, a line each; it runs all the same.</summary>
    public ImmutableArray<string> Warnings { get; }

    internal string Source { get; }

    internal KernelRegistry Registry { get; }

    internal CompiledLinear Embedding { get; }

    internal AlignedBuffer ClassToken { get; }

    internal AlignedBuffer? DistillationToken { get; }

    internal AlignedBuffer Positions { get; }

    internal ImmutableArray<CompiledBlock> Blocks { get; }

    /// <summary>What multiplies queries by keys.</summary>
    internal Kernel ScoreKernel { get; }

    /// <summary>What multiplies probabilities by values.</summary>
    internal Kernel ValueKernel { get; }

    internal CompiledNorm Norm { get; }

    internal CompiledLinear Head { get; }

    internal CompiledLinear? DistillationHead { get; }

    /// <summary>Compiles a model.</summary>
    /// <param name="graph">Architecture and weights; not needed afterwards.</param>
    /// <param name="options">How; null for the defaults.</param>
    public static CompiledModel Compile(VitGraph graph, CompileOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return new(graph, options ?? new());
    }

    /// <summary>Opens a model file at any stage (<see cref="PackedModel.Open"/>) and compiles it.</summary>
    /// <param name="path">A <c>.savit</c>, safetensors or PyTorch file.</param>
    /// <param name="options">How to compile it; null for the defaults.</param>
    /// <param name="load">What the caller knows about a checkpoint; a packed file knows all of it itself.</param>
    /// <exception cref="ShiftAddVitException">The file cannot be used.</exception>
    public static CompiledModel Load(string path, CompileOptions? options = null, LoadOptions? load = null) =>
        Compile(PackedModel.Open(path, load).Graph, options);

    /// <inheritdoc cref="VitGraph.RequirePreprocessing"/>
    public Preprocessing RequirePreprocessing() => Preprocessing ?? throw Models.Preprocessing.Unknown(Source);

    /// <summary>Makes a session, which holds all memory that running takes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Batch size or number of threads below 1.</exception>
    public Session CreateSession(SessionOptions? options = null)
    {
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxBatch, 1, nameof(options.MaxBatch));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1, nameof(options.Threads));
        return new(this, options);
    }

    /// <summary>Rows of a block in a session of so many threads, for so many images, <see cref="RowChain.Many"/> at most.</summary>
    internal int RowBlock(int threads, int images) => _tuned.RowBlock(_chain with { Threads = threads, Images = images });

    /// <summary>How attention on bytes is cut in a session of so many threads.</summary>
    internal AttentionSplit AttentionSplit(int threads) => _tuned.Split(AttentionShape.Of(Architecture, threads));

    /// <summary>
    /// Frees the weights. Dispose of every session first: one that is running would read freed memory, which is not checked; one that
    /// runs afterwards throws <see cref="ObjectDisposedException"/>.
    /// </summary>
    public void Dispose() => _memory.ForEach(memory => memory.Dispose());

    /// <summary>A dense layer with S8 weights, each output scaled by its largest; another as it is.</summary>
    static Linear InBytes(Linear linear) => linear.Weight is QuantizedWeight
        ? linear
        : linear with { Weight = NearestQuantizer.ByMagnitude(linear.Weight.ToFloat32()) };

    CompiledBlock Compile(Block block, AttentionForm form) => new(
        Compile(block.Norm1), Compile(block.Attention.Qkv), Compile(block.Attention.Projection), Compile(block.Norm2), Compile(block.Mlp),
        Compile(block.Attention.Parameters, form));

    CompiledLayer Compile(Layer layer) => layer switch
    {
        Mixture mixture => Compile(mixture),
        QkvSplit split => new CompiledSplit(split.Name, [Compile(split.Queries), Compile(split.Keys), Compile(split.Values)], Registry),
        _ => Compile((Linear)layer),
    };

    CompiledAttention Compile(AttentionParameters parameters, AttentionForm form) =>
        Own(new CompiledAttention(form, parameters, parameters.KeyBias is { } keyBias ? Compile(Exact ? keyBias : InBytes(keyBias)) : null));

    CompiledLinear Compile(Linear linear) => Own(new CompiledLinear(linear, Registry, _tuned, Architecture.HeadSize));

    CompiledMixture Compile(Mixture mixture)
    {
        ImmutableArray<CompiledLinear> experts = [.. mixture.Experts.Select(CompileExpert)];
        return new(Own(new CompiledRouter(mixture.Name, mixture.Router, experts, Registry)), experts, Registry);
    }

    ImmutableArray<CompiledLayer> Compile(MlpLayer mlp)
    {
        if (mlp is Mlp single) return [Compile(single.Fc1), Compile(single.Fc2)];
        var mixture = (MlpMixture)mlp;
        ImmutableArray<(CompiledLinear Fc1, CompiledLinear Fc2)> experts =
            [.. mixture.Experts.Select(expert => (CompileExpert((Linear)expert.Fc1), CompileExpert((Linear)expert.Fc2)))];
        var router = Own(new CompiledRouter(mixture.Name, mixture.Router, experts.Select(expert => expert.Fc1), Registry));
        return [new CompiledMlpMixture(router, experts, Gelu, Registry)];
    }

    CompiledLinear CompileExpert(Linear expert) => Own(new CompiledLinear(expert, Registry, _tuned, Architecture.HeadSize, Work.Experts));

    CompiledNorm Compile(LayerNorm norm) => new(
        Own(AlignedBuffer.Copy(norm.Gamma.Values)), Own(AlignedBuffer.Copy(norm.Beta.Values)), Architecture.LayerNormEpsilon);

    T Own<T>(T memory) where T : IDisposable
    {
        _memory.Add(memory);
        return memory;
    }
}

/// <summary>A layer norm's parameters in native memory.</summary>
sealed record CompiledNorm(AlignedBuffer Gamma, AlignedBuffer Beta, float Epsilon);

/// <summary>The parts of a block; its MLP is fc1 and fc2, or one mixture of MLPs.</summary>
sealed record CompiledBlock(
    CompiledNorm Norm1, CompiledLayer Qkv, CompiledLayer Projection, CompiledNorm Norm2, ImmutableArray<CompiledLayer> Mlp,
    CompiledAttention Attention);
