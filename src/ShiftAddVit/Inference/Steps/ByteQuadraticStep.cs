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
        : base(context, output, queries) => (_attention, _heads, _scores) = (attention, heads, new(context, attention.Form, heads));

    protected override long KeyBytes => _scores.KeyBytes;

    protected override float* Values(int image, int head) => _heads.Values(image, head);

    protected override void PackKeys(in Operands o) => _scores.PackKeys(o.Image, o.Head, o.Keys);

    protected override void Weigh(in Operands o, int first, int count, float* factors)
    {
        TimeBudget.Enter(Work.Scores);
        _scores.Run(o.Image, o.Head, first, count, o.Keys, o.Scores, ScoreStride);
        TimeBudget.Enter(Work.Softmax);
        var magnitudes = _heads.QueryMagnitudes(o.Image, o.Head) + first;
        var scales = stackalloc float[QueriesPerBlock];
        for (var i = 0; i < count; i++) scales[i] = _attention.Temperature[o.Head] * magnitudes[i];
        Context.Model.Registry.Attention.BiasedSoftmax(new()
        {
            Rows = count, Keys = Architecture.Tokens, Scores = o.Scores, ScoreStride = ScoreStride, RowScales = scales,
            KeyScales = _heads.KeyMagnitudes(o.Image, o.Head), Biases = _heads.Biases(o.Image, o.Head),
            Factors = factors, Probabilities = o.Probabilities,
        });
    }
}
