using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// A layer that computes each token from that token alone. Stages follow each other on a block of tokens while it is in cache
/// (<see cref="RowStep"/>).
/// </summary>
abstract unsafe class RowStage(StepContext context)
{
    protected StepContext Context { get; } = context;

    /// <summary>Bytes of scratch for a number of rows, a multiple of the alignment.</summary>
    public abstract long ScratchBytes(int rows);

    /// <summary>Computes some rows.</summary>
    /// <param name="first">The first of them, counted over the whole batch.</param>
    /// <param name="count">How many, at most as many as the scratch was planned for.</param>
    /// <param name="scratch">Scratch memory of the calling thread.</param>
    public abstract void Run(int first, int count, byte* scratch);

    /// <summary>Shows the observer what entered the layers; called when all rows are done.</summary>
    public abstract void Show(ActivationObserver observer);

    /// <summary>Rows of the call under way.</summary>
    protected int Rows => Context.Batch * Context.Model.Architecture.Tokens;

    protected static long Align(long bytes) => AlignedBuffer.Align(bytes);

    protected static long FloatBytes(int rows, int columns) => Align((long)rows * columns * sizeof(float));
}
