using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>What all steps of a session share.</summary>
/// <param name="model">The weights.</param>
/// <param name="options">Batch size, threads, observer.</param>
/// <param name="arena">All memory of the session.</param>
sealed unsafe class StepContext(CompiledModel model, SessionOptions options, Arena arena)
{
    Region _scratch;
    long _scratchBytes;

    /// <summary>For one image, for two, and so on.</summary>
    readonly ImmutableArray<int> _rowBlocks =
        [.. Enumerable.Range(1, Math.Min(options.MaxBatch, RowChain.Many)).Select(images => model.RowBlock(options.Threads, images))];

    public CompiledModel Model { get; } = model;

    public SessionOptions Options { get; } = options;

    public Arena Arena { get; } = arena;

    /// <summary>Rows that a part of a <see cref="RowStep"/> takes in the call under way.</summary>
    public int RowBlock => _rowBlocks[Math.Min(Batch, RowChain.Many) - 1];

    /// <summary>The most that it takes in any call.</summary>
    public int MaxRowBlock => _rowBlocks.Max();

    /// <summary>How attention on bytes is cut.</summary>
    public AttentionSplit AttentionSplit { get; } = model.AttentionSplit(options.Threads);

    /// <summary>B of the call under way.</summary>
    public int Batch { get; set; }

    /// <summary>The input of the call under way, [B,3,S,S].</summary>
    public float* Images { get; set; }

    /// <summary>Reserves scratch for every thread, as much as the hungriest step needs.</summary>
    public void PlanScratch(IEnumerable<Step> steps)
    {
        _scratchBytes = steps.Max(step => step.ScratchBytes);
        _scratch = Arena.Plan<byte>(_scratchBytes * Options.Threads);
    }

    /// <summary>The scratch of one thread, aligned.</summary>
    public byte* Scratch(int thread) => Arena.Pointer<byte>(_scratch) + thread * _scratchBytes;
}

/// <summary>One step of the forward pass, cut into parts that can run at the same time.</summary>
abstract class Step(StepContext context) : IParallelWork
{
    /// <summary>Rows that a part of another step takes: enough to reuse weights from cache, few enough to share out.</summary>
    public const int RowsPerPart = 24;

    protected StepContext Context { get; } = context;

    /// <summary>Parts of the call under way.</summary>
    public abstract int Parts { get; }

    /// <summary>Bytes of scratch that a thread needs, a multiple of the alignment.</summary>
    public abstract long ScratchBytes { get; }

    public abstract void Execute(int part, int thread);

    /// <summary>Shows the observer what the step made or saw; called after all parts.</summary>
    public virtual void Show(ActivationObserver observer) { }

    /// <summary>Parts for a number of rows.</summary>
    protected static int RowParts(int rows) => (rows + RowsPerPart - 1) / RowsPerPart;

    /// <summary>A length in bytes rounded up so that what follows is aligned.</summary>
    protected static long Align(long bytes) => Tensors.AlignedBuffer.Align(bytes);
}
