namespace ShiftAddVit.Inference.Steps;

/// <summary>Queries, keys and values of the normed tokens, head by head in a form that attention reads: rows of one image at a time.</summary>
abstract unsafe class HeadsStage : RowStage
{
    readonly Region _tokens;

    /// <param name="context">The session.</param>
    /// <param name="block">The layers.</param>
    /// <param name="tokens">x [B*N,C].</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    protected HeadsStage(StepContext context, CompiledBlock block, Region tokens, int queries) : base(context)
    {
        (Block, _tokens, PrefixOnly) = (block, tokens, queries != context.Model.Architecture.Tokens);
        Tap = Tap.OfTokens(context, block.Qkv);
    }

    protected CompiledBlock Block { get; }

    protected Tap Tap { get; }

    /// <summary>C.</summary>
    protected int Width => Block.Qkv.Inputs;

    /// <summary>Whether only the prefix tokens ask.</summary>
    protected bool PrefixOnly { get; }

    public sealed override void Run(int first, int count, byte* scratch)
    {
        var a = Context.Model.Architecture;
        for (int end = first + count, rows; first < end; first += rows)
        {
            var (image, token) = Math.DivRem(first, a.Tokens);
            rows = Math.Min(end - first, a.Tokens - token);
            Run(image, token, rows, PrefixOnly ? Math.Clamp(a.PrefixTokens - token, 0, rows) : rows, scratch);
        }
    }

    /// <summary>Computes some rows of an image, of which the first <paramref name="asking"/> ask.</summary>
    protected abstract void Run(int image, int token, int rows, int asking, byte* scratch);

    public sealed override void Show(ActivationObserver observer) => Tap.Show(observer, Rows);

    protected float* Tokens(int image, int token) => Context.Arena.Pointer<float>(_tokens) + (long)Row(image, token) * Width;

    /// <summary>The row of a token, counted over the whole batch.</summary>
    protected int Row(int image, int token) => image * Context.Model.Architecture.Tokens + token;
}
