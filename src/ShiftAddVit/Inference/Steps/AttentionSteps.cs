using ShiftAddVit.Models;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// Chooses what computes the attention of a block by its form, and plans the memory between the steps: all blocks share it, and forms that no block
/// has take none.
/// </summary>
sealed class AttentionSteps
{
    readonly StepContext _context;
    readonly Region _tokens, _attended, _qkv;
    readonly ByteHeads? _byteHeads;
    readonly BinaryHeads? _binaryHeads;
    readonly LinearHeads? _linearHeads;

    /// <param name="context">The session.</param>
    /// <param name="tokens">x [B*N,C], read.</param>
    /// <param name="attended">[B*N,C], written.</param>
    public AttentionSteps(StepContext context, Region tokens, Region attended)
    {
        (_context, _tokens, _attended) = (context, tokens, attended);
        var (model, a) = (context.Model, context.Model.Architecture);
        if (Any(form => !form.IsBinary))
        {
            if (model.Exact) _qkv = context.Arena.Plan<float>((long)context.Options.MaxBatch * a.Tokens * 3 * a.Width);
            else _byteHeads = new(context);
        }
        if (Any(form => form.IsBinary)) _binaryHeads = new(context);
        if (Any(form => form.IsLinear)) _linearHeads = new(context);

        bool Any(Func<AttentionForm, bool> which) => model.Blocks.Any(block => which(block.Attention.Form));
    }

    /// <summary>What makes queries, keys and values of a block.</summary>
    /// <param name="block">The block.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public RowStage Qkv(CompiledBlock block, int queries)
    {
        if (block.Attention.Form.IsBinary) return new BinaryQkvStage(_context, block, _tokens, _binaryHeads!, queries);
        return _byteHeads is null
            ? new QkvStage(_context, block, _tokens, _qkv, queries)
            : new ByteQkvStage(_context, block, _tokens, _byteHeads, queries);
    }

    /// <summary>What follows.</summary>
    public IEnumerable<Step> Attend(CompiledBlock block, int queries)
    {
        var attention = block.Attention;
        return attention.Form switch
        {
            { IsLinear: true } =>
            [
                new KeyValueStep(_context, attention, _binaryHeads!, _linearHeads!),
                new QueryValueStep(_context, attention, _binaryHeads!, _linearHeads!, _attended, queries),
            ],
            { IsBinary: true } => [_context.Model.Exact
                ? new QuadraticAttentionStep(_context, attention, _binaryHeads!, _attended, queries)
                : new ByteQuadraticStep(_context, attention, _binaryHeads!, _attended, queries)],
            _ => [_byteHeads is null
                ? new AttentionStep(_context, _qkv, _attended, queries)
                : new ByteSoftmaxStep(_context, _byteHeads, _attended, queries)],
        };
    }
}
