namespace ShiftAddVit.Inference.Steps;

/// <summary>Runs stages one after the other on blocks of tokens: of all tokens, or of the prefix tokens of each image.</summary>
sealed unsafe class RowStep(StepContext context, bool prefixOnly, params RowStage[] stages) : Step(context)
{
    int Tokens => Context.Model.Architecture.Tokens;

    public override int Parts => prefixOnly ? Context.Batch : (Context.Batch * Tokens + Context.RowBlock - 1) / Context.RowBlock;

    public override long ScratchBytes => stages.Max(stage => stage.ScratchBytes(Context.MaxRowBlock));

    public override void Execute(int part, int thread)
    {
        var first = part * (prefixOnly ? Tokens : Context.RowBlock);
        var count = prefixOnly ? Context.Model.Architecture.PrefixTokens : Math.Min(Context.RowBlock, Context.Batch * Tokens - first);
        foreach (var stage in stages) stage.Run(first, count, Context.Scratch(thread));
    }

    public override void Show(ActivationObserver observer)
    {
        foreach (var stage in stages) stage.Show(observer);
    }
}
