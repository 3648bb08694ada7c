using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Inference.Steps;

/// <summary><see cref="HeadAttention"/> of each head h and the first tokens i of each image.</summary>
sealed unsafe class ByteAttentionStep : Step
{
    readonly ByteHeads _heads;
    readonly HeadAttention _attention;
    readonly Region _output;
    readonly int _queries;

    /// <param name="context">The session.</param>
    /// <param name="heads">Queries, keys, values.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public ByteAttentionStep(StepContext context, ByteHeads heads, Region output, int queries) : base(context)
    {
        (_heads, _output, _queries) = (heads, output, queries);
        _attention = new(
            context.Model.Registry, heads.ScoreKernel, heads.ValueKernel, Architecture.Tokens, Architecture.HeadSize, context.AttentionSplit.Queries);
    }

    VitArchitecture Architecture => Context.Model.Architecture;

    int Pieces => PiecesOfHead(Context.AttentionSplit, _queries);

    public override int Parts => Context.Batch * Architecture.Heads * Pieces;

    public override long ScratchBytes => _attention.ScratchBytes;

    public override void Execute(int part, int thread)
    {
        var (group, piece) = Math.DivRem(part, Pieces);
        var (image, head) = Math.DivRem(group, Architecture.Heads);
        var operands = Operands(image, head, Context.Scratch(thread));
        TimeBudget.Enter(Work.PackHeads);
        _attention.PackValues(operands);
        var end = (int)((long)_queries * (piece + 1) / Pieces);
        for (var row = (int)((long)_queries * piece / Pieces); row < end; row += _attention.Queries)
            Attend(operands, row, Math.Min(_attention.Queries, end - row));
    }

    void Attend(in HeadAttentionOperands operands, int first, int count)
    {
        TimeBudget.Enter(Work.Scores);
        _attention.Score(operands, first, count);
        TimeBudget.Enter(Work.Softmax);
        _attention.Softmax(operands, first, count);
        TimeBudget.Enter(Work.Values);
        _attention.Combine(operands, first, count);
    }

    HeadAttentionOperands Operands(int image, int head, byte* scratch) => new()
    {
        Queries = _heads.Queries(image, head), QueryStride = Architecture.Width, QueryScales = _heads.QueryScales(image, head),
        Keys = _heads.Keys(image, head), KeyScales = _heads.KeyScales(image, head),
        Values = _heads.Values(image, head), ValueStride = Architecture.Width,
        Output = Context.Arena.Pointer<float>(_output) + (long)image * Architecture.Tokens * Architecture.Width + head * Architecture.HeadSize,
        OutputStride = Architecture.Width, Scratch = scratch,
    };
}
