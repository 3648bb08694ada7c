using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Softmax attention on bytes: <see cref="HeadAttention"/>.</summary>
/// <param name="context">The session.</param>
/// <param name="heads">Queries, keys, values.</param>
/// <param name="output">[B*N,C], heads side by side.</param>
/// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
sealed unsafe class ByteSoftmaxStep(StepContext context, ByteHeads heads, Region output, int queries)
    : ByteAttentionStep(context, heads.ScoreKernel, heads.ValueKernel, output, queries)
{
    protected override HeadAttentionOperands Operands(int image, int head) => new()
    {
        Queries = heads.Queries(image, head), QueryStride = Architecture.Width, QueryScales = heads.QueryScales(image, head),
        Keys = heads.Keys(image, head), KeyScales = heads.KeyScales(image, head), Values = heads.Values(image, head), ValueStride = Architecture.Width,
    };

    protected override void Weigh(in HeadAttentionOperands o, int image, int head, int first, int count, byte* keys)
    {
        TimeBudget.Enter(Work.Scores);
        Attention.Score(o, first, count);
        TimeBudget.Enter(Work.Softmax);
        Attention.Softmax(o, first, count);
    }
}
