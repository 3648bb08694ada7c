using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Attention, or its last part: out[i,h] for each head h and the first tokens i of each image, cut by tokens.</summary>
/// <param name="context">The session.</param>
/// <param name="output">[B*N,C], heads side by side.</param>
/// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
/// <param name="split">How many pieces a head is cut into. What is made of its keys and values is made anew for each.</param>
abstract unsafe class PerQueryStep(StepContext context, Region output, int queries, AttentionSplit split) : PerHeadStep(context)
{
    protected sealed override int Pieces => PiecesOf(queries, split);

    protected sealed override void Execute(int image, int head, int piece, byte* scratch) => Attend(
        image, head, (int)((long)queries * piece / Pieces), (int)((long)queries * (piece + 1) / Pieces), scratch);

    /// <summary>The outputs of the tokens from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    protected abstract void Attend(int image, int head, int first, int end, byte* scratch);

    /// <summary>Where the output of a token and head is; rows are C apart.</summary>
    protected float* Output(int image, int head, int token) => Context.Arena.Pointer<float>(output)
        + ((long)image * Architecture.Tokens + token) * Architecture.Width + head * Architecture.HeadSize;
}
