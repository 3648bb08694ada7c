using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// out[i,h] = SUM_j softmax_j(z_ij) v_j for each head h and the first tokens i of each image, softmax and values in float32:
/// z_ij = (bq_i . bk_j) (tau_h mean|q_i| mean|k_j|) + beta_j.
/// </summary>
sealed unsafe class QuadraticAttentionStep : PerQueryStep
{
    readonly CompiledAttention _attention;
    readonly BinaryHeads _heads;
    readonly BinaryScores _scores;
    readonly FloatKernel _kernel;

    /// <param name="context">The session.</param>
    /// <param name="attention">The form and its parameters.</param>
    /// <param name="heads">Queries, keys, values.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public QuadraticAttentionStep(StepContext context, CompiledAttention attention, BinaryHeads heads, Region output, int queries)
        : base(context, output, queries, AttentionSplit.Static)
    {
        (_attention, _heads) = (attention, heads);
        (_scores, _kernel) = (new(context, attention.Form, heads), context.Model.Registry.Float);
    }

    public override long ScratchBytes => _scores.KeyBytes + ValueBytes + 2 * ScoreBytes + Align(_kernel.ScratchBytes(Architecture.Tokens));

    long ValueBytes => Align(_kernel.Packing.ByteLength(Architecture.HeadSize, Architecture.Tokens));

    long ScoreBytes => Align((long)RowsPerPart * Architecture.Tokens * sizeof(float));

    protected override void Attend(int image, int head, int first, int end, byte* keys)
    {
        var (n, c, d) = (Architecture.Tokens, Architecture.Width, Architecture.HeadSize);
        var values = (float*)(keys + _scores.KeyBytes);
        TimeBudget.Enter(Work.PackHeads);
        _scores.PackKeys(image, head, keys);
        _kernel.Packing.PackColumns(d, n, new(_heads.Values(image, head), (n - 1) * c + d), c, new(values, (int)(ValueBytes / sizeof(float))));
        for (var row = first; row < end; row += RowsPerPart) AttendBlock(image, head, row, Math.Min(RowsPerPart, end - row), keys, values);
    }

    void AttendBlock(int image, int head, int first, int count, byte* keys, float* values)
    {
        var (n, c, d) = (Architecture.Tokens, Architecture.Width, Architecture.HeadSize);
        var scores = (int*)((byte*)values + ValueBytes);
        var probabilities = (float*)((byte*)scores + ScoreBytes);
        var rows = Context.Model.Registry.Rows;
        TimeBudget.Enter(Work.Scores);
        _scores.Run(image, head, first, count, keys, scores, n);
        TimeBudget.Enter(Work.Softmax);
        var queryMagnitudes = _heads.QueryMagnitudes(image, head) + first;
        var keyMagnitudes = _heads.KeyMagnitudes(image, head);
        for (var row = 0; row < count; row++)
        {
            var z = probabilities + (long)row * n;
            rows.Dequantize(scores + (long)row * n, _attention.Temperature[head] * queryMagnitudes[row], keyMagnitudes, _heads.Biases(image, head), n, z);
            rows.Softmax(z, 1, n);
        }
        TimeBudget.Enter(Work.Values);
        _kernel.Run(new()
        {
            M = count, N = d, K = n, Activations = probabilities, ActivationStride = n, Weights = values,
            Output = Output(image, head, first), OutputStride = c, Scratch = (byte*)probabilities + ScoreBytes,
        });
    }
}
