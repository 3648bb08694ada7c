using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Softmax attention on bytes: p_ij = table[(max_j z_ij - z_ij) * 40 / sqrt D], z_ij = sq_i sk_j (q_i . k_j).</summary>
/// <param name="context">The session.</param>
/// <param name="heads">Queries, keys, values.</param>
/// <param name="output">[B*N,C], heads side by side.</param>
/// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
sealed unsafe class ByteSoftmaxStep(StepContext context, ByteHeads heads, Region output, int queries) : ByteAttentionStep(context, output, queries)
{
    protected override float* Values(int image, int head) => heads.Values(image, head);

    protected override void Weigh(in Operands o, int first, int count, float* factors)
    {
        var (n, d, c) = (Architecture.Tokens, Architecture.HeadSize, Architecture.Width);
        TimeBudget.Enter(Work.Scores);
        heads.Kernel.Run(new IntegerOperands
        {
            M = count, N = n, K = d, Activations = heads.Queries(o.Image, o.Head) + (long)first * c, ActivationStride = c,
            Weights = heads.Keys(o.Image, o.Head), Output = o.Scores, OutputStride = ScoreStride, Scratch = o.Rest,
        });
        TimeBudget.Enter(Work.Softmax);
        var queryScales = heads.QueryScales(o.Image, o.Head) + first;
        var steps = ExponentialTable.StepsPerUnit / MathF.Sqrt(d);
        for (var i = 0; i < count; i++) factors[i] = queryScales[i] * steps;
        Context.Model.Registry.Attention.Softmax(new()
        {
            Rows = count, Keys = n, Scores = o.Scores, ScoreStride = ScoreStride, KeyScales = heads.KeyScales(o.Image, o.Head),
            Factors = factors, Probabilities = o.Probabilities,
        });
    }
}
