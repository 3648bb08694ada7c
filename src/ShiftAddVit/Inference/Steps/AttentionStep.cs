using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>out[i,h] = SUM_j softmax_j(q_i . k_j / sqrt(D)) v_j for each head h and the first tokens i of each image, in float32.</summary>
sealed unsafe class AttentionStep : PerQueryStep
{
    readonly Region _qkv;
    readonly FloatKernel _scores, _values;

    /// <param name="context">The session.</param>
    /// <param name="qkv">[B*N,3C]: queries, keys, values, each head by head.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public AttentionStep(StepContext context, Region qkv, Region output, int queries)
        : base(context, output, queries, AttentionSplit.Static)
    {
        _qkv = qkv;
        (_scores, _values) = ((FloatKernel)context.Model.ScoreKernel, (FloatKernel)context.Model.ValueKernel);
    }

    public override long ScratchBytes => KeyBytes + ValueBytes + ScoreBytes + Align(Math.Max(
        _scores.ScratchBytes(Architecture.HeadSize), _values.ScratchBytes(Architecture.Tokens)));

    long KeyBytes => Align(_scores.Packing.ByteLength(Architecture.Tokens, Architecture.HeadSize));

    long ValueBytes => Align(_values.Packing.ByteLength(Architecture.HeadSize, Architecture.Tokens));

    long ScoreBytes => Align((long)RowsPerPart * Architecture.Tokens * sizeof(float));

    protected override void Attend(int image, int head, int first, int end, byte* scratch)
    {
        var (n, c, d) = (Architecture.Tokens, Architecture.Width, Architecture.HeadSize);
        var queries = Context.Arena.Pointer<float>(_qkv) + (long)image * n * 3 * c + head * d;
        var keys = (float*)scratch;
        var values = (float*)(scratch + KeyBytes);
        TimeBudget.Enter(Work.PackHeads);
        PackKeysAndValues(queries + c, queries + 2 * c, keys, values);
        for (var row = first; row < end; row += RowsPerPart)
            AttendBlock(
                queries + (long)row * 3 * c, Math.Min(RowsPerPart, end - row), keys, values, Output(image, head, row), scratch + KeyBytes + ValueBytes);
    }

    /// <summary>Keys are outputs of the first product, row by row; values are inputs of the second, column by column.</summary>
    void PackKeysAndValues(float* k, float* v, float* keys, float* values)
    {
        var (n, stride, d) = (Architecture.Tokens, 3 * Architecture.Width, Architecture.HeadSize);
        var length = (n - 1) * stride + d;
        _scores.Packing.PackRows(n, d, new(k, length), stride, new(keys, (int)(KeyBytes / sizeof(float))));
        _values.Packing.PackColumns(d, n, new(v, length), stride, new(values, (int)(ValueBytes / sizeof(float))));
    }

    void AttendBlock(float* queries, int count, float* keys, float* values, float* output, byte* scratch)
    {
        var (n, c, d) = (Architecture.Tokens, Architecture.Width, Architecture.HeadSize);
        var scores = (float*)scratch;
        var kernelScratch = scratch + ScoreBytes;
        TimeBudget.Enter(Work.Scores);
        _scores.Run(new()
        {
            M = count, N = n, K = d, Activations = queries, ActivationStride = 3 * c, Weights = keys,
            Output = scores, OutputStride = n, Scratch = kernelScratch,
        });
        TimeBudget.Enter(Work.Softmax);
        var scale = 1 / MathF.Sqrt(d);
        for (var row = 0; row < count; row++) Context.Model.Registry.Rows.Softmax(scores + (long)row * n, scale, n);
        TimeBudget.Enter(Work.Values);
        _values.Run(new()
        {
            M = count, N = d, K = n, Activations = scores, ActivationStride = n, Weights = values,
            Output = output, OutputStride = c, Scratch = kernelScratch,
        });
    }
}
