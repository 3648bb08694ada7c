using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>Quadratic attention of codes on bytes: p_ij = table[(max_j z_ij - z_ij) * 40], z_ij = (bq_i . bk_j) (tau_h mean|q_i| mean|k_j|) + beta_j.</summary>
sealed unsafe class ByteQuadraticStep : ByteAttentionStep
{
    readonly CompiledAttention _attention;
    readonly BinaryHeads _heads;
    readonly BinaryScores _scores;

    /// <param name="context">The session.</param>
    /// <param name="attention">The form and its parameters.</param>
    /// <param name="heads">Queries, keys, values.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public ByteQuadraticStep(StepContext context, CompiledAttention attention, BinaryHeads heads, Region output, int queries)
        : base(context, (IntegerKernel)context.Model.ValueKernel, (IntegerKernel)context.Model.ValueKernel, output, queries) =>
        (_attention, _heads, _scores) = (attention, heads, new(context, attention.Form, heads));

    protected override long KeyBytes => _scores.KeyBytes;

    protected override HeadAttentionOperands Operands(int image, int head) =>
        new() { KeyScales = _heads.KeyMagnitudes(image, head), Values = _heads.Values(image, head), ValueStride = Architecture.Width };

    protected override void PackKeys(int image, int head, byte* keys) => _scores.PackKeys(image, head, keys);

    protected override void Weigh(in HeadAttentionOperands o, int image, int head, int first, int count, byte* keys)
    {
        var buffers = Attention.Buffers(o.Scratch);
        TimeBudget.Enter(Work.Scores);
        _scores.Run(image, head, first, count, keys, buffers.Scores, Attention.ScoreStride);
        TimeBudget.Enter(Work.Softmax);
        var magnitudes = _heads.QueryMagnitudes(image, head) + first;
        var scales = stackalloc float[count];
        for (var i = 0; i < count; i++) scales[i] = _attention.Temperature[head] * magnitudes[i];
        Context.Model.Registry.Attention.BiasedSoftmax(new()
        {
            Rows = count, Keys = Architecture.Tokens, Scores = buffers.Scores, ScoreStride = Attention.ScoreStride, RowScales = scales,
            KeyScales = o.KeyScales, Biases = _heads.Biases(image, head), Factors = buffers.Factors, Probabilities = buffers.Probabilities,
        });
    }
}
