using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// out[i,h] = SUM_j p_ij v_j / SUM_j p_ij for each head h and the first tokens i of each image, probabilities and values as bytes. What derives from it
/// says how probabilities come about.
/// </summary>
abstract unsafe class ByteAttentionStep : PerQueryStep
{
    /// <param name="context">The session.</param>
    /// <param name="scores">The kernel of scores, where there is one on bytes.</param>
    /// <param name="values">The kernel of the product with values.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    protected ByteAttentionStep(StepContext context, IntegerKernel scores, IntegerKernel values, Region output, int queries)
        : base(context, output, queries, context.AttentionSplit) =>
        Attention = new(context.Model.Registry, scores, values, Architecture.Tokens, Architecture.HeadSize, context.AttentionSplit.Queries);

    /// <summary>What is done with a head.</summary>
    protected HeadAttention Attention { get; }

    public override long ScratchBytes => Attention.ScratchBytes + KeyBytes;

    /// <summary>Bytes of keys that <see cref="PackKeys"/> makes, a multiple of the alignment.</summary>
    protected virtual long KeyBytes => 0;

    /// <summary>Brings the keys of a head into order, where they are not.</summary>
    protected virtual void PackKeys(int image, int head, byte* keys) { }

    /// <summary>The head; output and scratch are set by the caller.</summary>
    protected abstract HeadAttentionOperands Operands(int image, int head);

    /// <summary>Makes probabilities of some queries, and factors[i] = 1 / SUM_j p_ij, in the buffers of the scratch.</summary>
    protected abstract void Weigh(in HeadAttentionOperands o, int image, int head, int first, int count, byte* keys);

    protected override void Attend(int image, int head, int first, int end, byte* scratch)
    {
        var operands = Operands(image, head);
        operands.Scratch = scratch;
        operands.Output = Output(image, head, token: 0);
        operands.OutputStride = Architecture.Width;
        var keys = operands.Scratch + Attention.ScratchBytes;
        TimeBudget.Enter(Work.PackHeads);
        PackKeys(image, head, keys);
        Attention.PackValues(operands);
        for (var row = first; row < end; row += Attention.Queries)
        {
            var count = Math.Min(Attention.Queries, end - row);
            Weigh(operands, image, head, row, count, keys);
            TimeBudget.Enter(Work.Values);
            Attention.Combine(operands, row, count);
        }
    }
}
