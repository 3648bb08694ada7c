using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// Second half of linear attention: bq_i A of each head h and the first tokens i of each image by masked adds, and what a form makes of it, a block of
/// tokens at a time.
/// </summary>
sealed unsafe class QueryValueStep : PerQueryStep
{
    /// <summary>Tokens at a time: their sums stay in the first-level cache.</summary>
    const int TokensPerBlock = 64;

    readonly CompiledAttention _attention;
    readonly BinaryHeads _heads;
    readonly LinearHeads _linear;
    readonly AddCodesKernel _kernel;

    /// <param name="context">The session.</param>
    /// <param name="attention">The form and its parameters.</param>
    /// <param name="heads">Queries and values.</param>
    /// <param name="linear">What <see cref="KeyValueStep"/> made.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public QueryValueStep(StepContext context, CompiledAttention attention, BinaryHeads heads, LinearHeads linear, Region output, int queries)
        : base(context, output, queries, AttentionSplit.Static) =>
        (_attention, _heads, _linear, _kernel) = (attention, heads, linear, context.Model.Registry.AddCodes);

    AttentionForm Form => _attention.Form;

    int Channels => Architecture.HeadSize;

    public override long ScratchBytes => SumBytes + Align(_kernel.ScratchBytes(Form.CodeBits, Channels));

    long SumBytes => Align((long)TokensPerBlock * Channels * sizeof(int));

    protected override void Attend(int image, int head, int first, int end, byte* scratch)
    {
        var sums = (int*)scratch;
        var operands = new AddCodesOperands
        {
            Tokens = 0, Bits = Form.CodeBits, HeadSize = Channels, Codes = null, Sums = _linear.Sums(image, head), SumStride = Channels,
            Output = sums, OutputStride = Channels, Scratch = (byte*)sums + SumBytes,
        };
        TimeBudget.Enter(Work.QueryValues);
        _kernel.Prepare(operands);
        for (var token = first; token < end; token += TokensPerBlock)
        {
            TimeBudget.Enter(Work.QueryValues);
            operands.Tokens = Math.Min(TokensPerBlock, end - token);
            operands.Codes = _heads.Queries(image, head) + token;
            _kernel.Run(operands);
            TimeBudget.Enter(Work.Combine);
            Combine(image, head, token, operands.Tokens, sums);
        }
    }

    void Combine(int image, int head, int first, int count, int* sums)
    {
        var (n, c, ops) = (Architecture.Tokens, Architecture.Width, Context.Model.Registry.LinearAttention);
        var o = new CombineOperands
        {
            Tokens = count, First = first, AllTokens = n, HeadSize = Channels, Sums = sums, SumStride = Channels,
            Offsets = _linear.Offsets(image, head), Scales = _linear.Scales(image, head), Factors = _heads.QueryMagnitudes(image, head) + first,
            Values = _heads.Values(image, head), ValueStride = c,
            Output = Output(image, head, first), OutputStride = c,
            FilterStride = c, PrefixTokens = Architecture.PrefixTokens, GridSide = Architecture.GridSide,
        };
        switch (Form.Kind)
        {
            case AttentionKind.Taylor:
                o.Mean = _linear.Means(image, head);
                o.Skip = _attention.Skip + head * Channels;
                if (Form.Convolution) o.Filters = _attention.Filters + head * Channels;
                ops.CombineTaylor(o);
                break;
            case AttentionKind.Angular:
                if (Form.Convolution) o.Filters = _attention.Filters + head * Convolutions.TokenTaps;
                ops.CombineAngular(o);
                break;
            default:
                Share(image, head, first, count, o.Factors);
                ops.CombineEcoFormer(o);
                break;
        }
    }

    /// <summary>factor[i] = 1 / SUM_j (bq_i . bk_j + I + 1), where magnitudes of queries would be.</summary>
    void Share(int image, int head, int first, int count, float* factors)
    {
        var queries = _heads.Queries(image, head) + first;
        var counts = _linear.Counts(image, head);
        var bits = Form.CodeBits;
        var none = Architecture.Tokens * (bits + 1);
        for (var i = 0; i < bits; i++) none -= counts[i];
        for (var t = 0; t < count; t++)
        {
            var sum = none;
            for (var code = queries[t]; code != 0; code &= code - 1) sum += 2 * counts[System.Numerics.BitOperations.TrailingZeroCount(code)];
            factors[t] = 1f / sum;
        }
    }
}
