using ShiftAddVit.Models;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>A step whose parts are the heads of each image, each cut in pieces.</summary>
abstract unsafe class PerHeadStep(StepContext context) : Step(context)
{
    protected VitArchitecture Architecture => Context.Model.Architecture;

    /// <summary>Pieces that a head is cut into in the call under way.</summary>
    protected abstract int Pieces { get; }

    public sealed override int Parts => Context.Batch * Architecture.Heads * Pieces;

    public sealed override void Execute(int part, int thread)
    {
        var (group, piece) = Math.DivRem(part, Pieces);
        var (image, head) = Math.DivRem(group, Architecture.Heads);
        Execute(image, head, piece, Context.Scratch(thread));
    }

    /// <summary>Computes a piece of a head.</summary>
    protected abstract void Execute(int image, int head, int piece, byte* scratch);

    /// <summary>Pieces that tokens are cut into, so that every thread gets several parts and uneven ones even out.</summary>
    protected int PiecesOf(int tokens, AttentionSplit split) => split.Pieces(Context.Batch * Architecture.Heads, Context.Options.Threads, tokens);
}
