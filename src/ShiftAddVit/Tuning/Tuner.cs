using System.Collections.Immutable;
using System.Globalization;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Finds what is fastest on this machine: for each shape of a model a kernel, that is tile and schedule, then with these kernels the rows
/// of a block for each number of threads. Times kernels and a chain of them on random data, never a whole model.
/// </summary>
public sealed class Tuner
{
    /// <summary>How often a kernel that seems too slow is timed anew.</summary>
    const int Confirmations = 3;

    readonly KernelRegistry _registry;
    readonly TimeSpan _duration;
    readonly Func<LinearShape, ImmutableArray<Kernel>, ICandidateTimer> _linearTimer;
    readonly Func<TunedChoices, RowChain, ICandidateTimer> _chainTimer;

    /// <summary>Tunes with a registry's kernels.</summary>
    /// <param name="registry">The kernels to choose from.</param>
    /// <param name="duration">How long a choice may take; each candidate is timed a few times in any case.</param>
    public Tuner(KernelRegistry registry, TimeSpan duration) : this(
        registry, duration, (shape, kernels) => new LinearTimer(registry, shape, kernels),
        (tuned, chain) => new RowChainTimer(registry, tuned, chain, chain.Candidates))
    {
    }

    internal Tuner(
        KernelRegistry registry, TimeSpan duration, Func<LinearShape, ImmutableArray<Kernel>, ICandidateTimer> linearTimer,
        Func<TunedChoices, RowChain, ICandidateTimer> chainTimer) =>
        (_registry, _duration, _linearTimer, _chainTimer) = (registry, duration, linearTimer, chainTimer);

    /// <summary>How many choices a model asks for on so many numbers of threads.</summary>
    public static int Choices(VitGraph graph, int threadCounts) => ModelShapes.Of(graph).Count + (HasChain(graph) ? threadCounts : 0);

    /// <summary>Makes every choice of a model.</summary>
    /// <param name="graph">The model; only its shapes and formats matter.</param>
    /// <param name="threads">Each number of threads that the rows of a block are chosen for, once.</param>
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
            Add(DecideKernel(shape, cancellation));
            choices = choices with { Kernels = choices.Kernels.Add(shape, Named(shape, decisions[^1].Pick.Name).Name) };
        }
        foreach (var chain in HasChain(graph) ? threads.Select(count => RowChain.Of(graph, count)) : [])
        {
            Add(DecideRowBlock(choices, chain, cancellation));
            choices = choices with { RowBlocks = choices.RowBlocks.Add(chain, Rows(chain, decisions[^1].Pick.Name)) };
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
        DecideKernel(shape, [.. _registry.Usable(shape)], _registry.Linear(shape), cancellation);

    /// <summary>
    /// Compares the kernel that runs a shape with the fastest. One that seems slower than allowed is timed anew beside the fastest, a few
    /// times, and found too slow only if it is each time: a busy machine makes no verdict.
    /// </summary>
    /// <param name="shape">The shape.</param>
    /// <param name="tuned">What is tuned; the registry's ranking says the rest.</param>
    /// <param name="percent">How much slower it may be.</param>
    /// <param name="cancellation">Looked at before each timed call.</param>
    public PickCheck Check(LinearShape shape, TunedChoices tuned, double percent, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(tuned);
        var pick = tuned.Kernel(_registry, shape);
        var check = new PickCheck(DecideKernel(shape, [.. _registry.Usable(shape)], pick, cancellation), percent);
        for (var i = 0; i < Confirmations && check.IsTooSlow; i++)
            check = new(DecideKernel(shape, [pick, Named(shape, check.Decision.Times[0].Name)], pick, cancellation), percent);
        return check;
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
        var times = new Dictionary<LinearShape, double>();
        foreach (var mixture in mixtures)
            for (var layer = 0; layer < mixture.Experts[0].Length; layer++) TimeExperts([.. mixture.Experts.Select(layers => layers[layer])]);
        return new(Kernels.Processor.Name, TuningOrigin.LibraryVersion, rows, [.. mixtures.Select(mixture => MixtureLatency.Of(
            mixture.Name, mixture.ExpertNames, [.. mixture.Experts.Select(layers => layers.Sum(layer => times[Shape(layer)]) / rows)]))]);

        LinearShape Shape(Linear expert) => ModelShapes.Of(expert) with { M = rows };

        void TimeExperts(ImmutableArray<Linear> experts)
        {
            ImmutableArray<(LinearShape Shape, Kernel Kernel)> different =
                [.. experts.Select(expert => (Shape(expert), tuned.Kernel(_registry, ModelShapes.Of(expert)))).DistinctBy(it => it.Item1)];
            if (different.All(it => times.ContainsKey(it.Shape))) return;
            using var timer = _linearTimer(different[0].Shape, [.. different.Select(it => it.Kernel)]);
            foreach (var (it, time) in different.Zip(Race.Run(timer, different.Length, _duration, cancellation))) times[it.Shape] = time;
        }
    }

    TuningDecision DecideKernel(LinearShape shape, ImmutableArray<Kernel> kernels, Kernel standard, CancellationToken cancellation)
    {
        using var timer = _linearTimer(shape, kernels);
        return Decide($"{shape}", $"{standard.Name}", [.. kernels.Select(kernel => $"{kernel.Name}")], timer, cancellation);
    }

    TuningDecision DecideRowBlock(TunedChoices tuned, RowChain chain, CancellationToken cancellation)
    {
        using var timer = _chainTimer(tuned, chain);
        return Decide($"{chain}", Describe(chain.StaticRows), [.. chain.Candidates.Select(Describe)], timer, cancellation);
    }

    TuningDecision Decide(
        string subject, string standard, ImmutableArray<string> names, ICandidateTimer timer, CancellationToken cancellation)
    {
        var times = Race.Run(timer, names.Length, _duration, cancellation);
        return new(subject, standard, [.. names.Zip(times, (name, time) => new CandidateTime(name, time)).OrderBy(time => time.Microseconds)]);
    }

    Kernel Named(LinearShape shape, string name) => _registry.Usable(shape).First(kernel => $"{kernel.Name}" == name);

    /// <summary>Rows are cut for the sake of integer layers; a float chain keeps its blocks.</summary>
    static bool HasChain(VitGraph graph) => RowChain.Of(graph, threads: 1).Weights != WeightFormat.F32;

    static string Describe(int rows) => string.Create(CultureInfo.InvariantCulture, $"{rows} rows");

    static int Rows(RowChain chain, string description) => chain.Candidates.First(rows => Describe(rows) == description);
}
