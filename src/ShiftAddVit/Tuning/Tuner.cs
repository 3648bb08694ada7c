using System.Collections.Immutable;
using System.Globalization;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Finds what is fastest on this machine: for each shape of a model a kernel, that is tile, unrolling and schedule, then with these kernels
/// the rows of a block, for one image and for many, and the cut of attention for each number of threads. Times kernels and chains of them on random data, never a whole model.
/// </summary>
public sealed class Tuner
{
    /// <summary>How often a kernel that seems too slow is timed anew.</summary>
    const int Confirmations = 3;

    /// <summary>Images of a call that rows of a block are chosen for.</summary>
    static readonly int[] Batches = [1, RowChain.Many];

    readonly KernelRegistry _registry;
    readonly TimeSpan _duration;
    readonly Func<LinearShape, ImmutableArray<Kernel>, ICandidateTimer> _linearTimer;
    readonly Func<TunedChoices, RowChain, ICandidateTimer> _chainTimer;
    readonly Func<TunedChoices, AttentionShape, ICandidateTimer> _attentionTimer;

    /// <summary>Tunes with a registry's kernels.</summary>
    /// <param name="registry">The kernels to choose from.</param>
    /// <param name="duration">How long a choice may take; each candidate is timed a few times in any case.</param>
    public Tuner(KernelRegistry registry, TimeSpan duration) : this(
        registry, duration, (shape, kernels) => new LinearTimer(registry, shape, kernels),
        (tuned, chain) => new RowChainTimer(registry, tuned, chain, chain.Candidates),
        (tuned, shape) => new AttentionTimer(registry, tuned, shape, shape.Candidates))
    {
    }

    internal Tuner(
        KernelRegistry registry, TimeSpan duration, Func<LinearShape, ImmutableArray<Kernel>, ICandidateTimer> linearTimer,
        Func<TunedChoices, RowChain, ICandidateTimer> chainTimer, Func<TunedChoices, AttentionShape, ICandidateTimer> attentionTimer)
    {
        (_registry, _duration) = (registry, duration);
        (_linearTimer, _chainTimer, _attentionTimer) = (linearTimer, chainTimer, attentionTimer);
    }

    /// <summary>How many choices a model asks for on so many numbers of threads.</summary>
    public static int Choices(VitGraph graph, int threadCounts) =>
        ModelShapes.Of(graph).Count + ((HasChain(graph) ? Batches.Length : 0) + (ModelShapes.RunsInBytes(graph) ? 1 : 0)) * threadCounts;

    /// <summary>Makes every choice of a model.</summary>
    /// <param name="graph">The model; only its shapes and formats matter.</param>
    /// <param name="threads">Each number of threads that blocks and cuts are chosen for, once.</param>
    /// <param name="progress">Told how many choices are made.</param>
    /// <param name="cancellation">Looked at before each timed call.</param>
    public TuningResult Tune(
        VitGraph graph, IReadOnlyList<int> threads, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(threads);
        var choices = TunedChoices.None;
        var decisions = ImmutableArray.CreateBuilder<TuningDecision>();
        foreach (var shape in ModelShapes.Of(graph))
        {
            Add(DecideKernel(shape, [.. _registry.Usable(shape)], _registry.Linear(shape), cancellation, out var kernel));
            choices = choices with { Kernels = choices.Kernels.Add(shape, kernel.Name) };
        }
        foreach (var chain in HasChain(graph) ? threads.SelectMany(count => Batches.Select(images => RowChain.Of(graph, count, images))) : [])
        {
            using var timer = _chainTimer(choices, chain);
            Add(Decide($"{chain}", chain.StaticRows, chain.Candidates, Describe, timer, cancellation, out var rows));
            choices = choices with { RowBlocks = choices.RowBlocks.Add(chain, rows) };
        }
        foreach (var shape in ModelShapes.RunsInBytes(graph) ? threads.Select(count => AttentionShape.Of(graph.Architecture, count)) : [])
        {
            using var timer = _attentionTimer(choices, shape);
            Add(Decide($"{shape}", AttentionSplit.Static, shape.Candidates, split => $"{split}", timer, cancellation, out var split));
            choices = choices with { Splits = choices.Splits.Add(shape, split) };
        }
        return new(choices, decisions.ToImmutable());

        void Add(TuningDecision decision)
        {
            decisions.Add(decision);
            progress?.Report(decisions.Count);
        }
    }

    /// <summary>Times the kernels of a shape.</summary>
    public TuningDecision DecideKernel(LinearShape shape, CancellationToken cancellation = default) =>
        DecideKernel(shape, [.. _registry.Usable(shape)], _registry.Linear(shape), cancellation, out _);

    /// <summary>
    /// Compares the kernel that runs a shape with the fastest. One that seems slower than allowed is timed anew beside the fastest, a few
    /// times, and found too slow only if it is each time: a busy machine makes no verdict.
    /// </summary>
    /// <param name="shape">The shape, of any M.</param>
    /// <param name="tuned">What is tuned; the registry's ranking says the rest.</param>
    /// <param name="percent">How much slower it may be.</param>
    /// <param name="cancellation">Looked at before each timed call.</param>
    public PickCheck Check(LinearShape shape, TunedChoices tuned, double percent, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tuned);
        var pick = tuned.Kernel(_registry, shape);
        Kernel[] kernels = [.. _registry.Usable(shape)];
        for (var i = 0; ; i++)
        {
            var check = new PickCheck(DecideKernel(shape, kernels, pick, cancellation, out _), percent);
            if (i == Confirmations || !check.IsTooSlow) return check;
            kernels = [pick, kernels.First(kernel => $"{kernel.Name}" == check.Decision.Times[0].Name)];
        }
    }

    /// <summary>Times the experts of every mixture of a model, each on its share of a block of tokens if all had the same.</summary>
    /// <param name="graph">The model; only its shapes and formats matter.</param>
    /// <param name="tuned">What is tuned; the registry's ranking says the rest.</param>
    /// <param name="cancellation">Looked at before each timed call.</param>
    /// <exception cref="ShiftAddVitException">The model has no mixtures.</exception>
    public ExpertLatencies MeasureExperts(VitGraph graph, TunedChoices tuned, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(tuned);
        GraphMixture[] mixtures = [.. graph.Mixtures()];
        if (mixtures.Length == 0)
            throw new ShiftAddVitException($"{graph.Provenance.Source}: has no mixtures; experts are those of a model made with --moe");
        var rows = Math.Max(RowChain.LeastRows, RowChain.Of(graph, threads: 1).StaticRows / mixtures.Max(mixture => mixture.Experts.Length));
        var headSize = graph.Architecture.HeadSize;
        var times = new Dictionary<LinearShape, double>();
        foreach (var mixture in mixtures)
            for (var layer = 0; layer < mixture.Experts[0].Length; layer++) TimeExperts([.. mixture.Experts.Select(layers => layers[layer])]);
        return new(Kernels.Processor.Name, TuningOrigin.LibraryVersion, rows, [.. mixtures.Select(mixture => MixtureLatency.Of(
            mixture.Name, mixture.ExpertNames, [.. mixture.Experts.Select(layers => layers.Sum(layer => times[Shape(layer)]) / rows)]))]);

        LinearShape Shape(Linear expert) => ModelShapes.Of(expert, headSize) with { M = rows };

        void TimeExperts(ImmutableArray<Linear> experts)
        {
            ImmutableArray<(LinearShape Shape, Kernel Kernel)> different =
                [.. experts.Select(expert => (Shape(expert), tuned.Kernel(_registry, ModelShapes.Of(expert, headSize)))).DistinctBy(it => it.Item1)];
            if (different.All(it => times.ContainsKey(it.Shape))) return;
            using var timer = _linearTimer(different[0].Shape, [.. different.Select(it => it.Kernel)]);
            foreach (var (it, time) in different.Zip(Race.Run(timer, different.Length, _duration, cancellation))) times[it.Shape] = time;
        }
    }

    /// <summary>As above, of every layer of some extents: of each weight format those that are tuned, else those that there may be.</summary>
    public IEnumerable<PickCheck> Check(MatrixShape shape, TunedChoices tuned, double percent, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tuned);
        return Enum.GetValues<WeightFormat>().SelectMany(weights => tuned.Layers(weights, shape))
            .Select(layer => Check(layer, tuned, percent, cancellation));
    }

    TuningDecision DecideKernel(
        LinearShape shape, IReadOnlyList<Kernel> kernels, Kernel standard, CancellationToken cancellation, out Kernel pick)
    {
        using var timer = _linearTimer(shape, [.. kernels]);
        return Decide($"{shape}", standard, kernels, kernel => $"{kernel.Name}", timer, cancellation, out pick);
    }

    TuningDecision Decide<T>(
        string subject, T standard, IReadOnlyList<T> candidates, Func<T, string> name, ICandidateTimer timer, CancellationToken cancellation,
        out T pick)
    {
        string[] names = [.. candidates.Select(name)];
        var times = Race.Run(timer, names.Length, _duration, cancellation).Select((time, i) => new CandidateTime(names[i], time));
        var decision = new TuningDecision(subject, name(standard), [.. times.OrderBy(time => time.Microseconds)]);
        pick = candidates[Array.IndexOf(names, decision.Pick.Name)];
        return decision;
    }

    /// <summary>Rows are cut for the sake of integer layers; a float chain keeps its blocks.</summary>
    static bool HasChain(VitGraph graph) => RowChain.Of(graph, threads: 1).Weights != WeightFormat.F32;

    static string Describe(int rows) => string.Create(CultureInfo.InvariantCulture, $"{rows} rows");
}
