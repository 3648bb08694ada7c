namespace ShiftAddVit.Inference.Steps;

/// <summary>A copy of what enters a linear layer, kept for an observer; without one it costs nothing.</summary>
sealed unsafe class Tap
{
    readonly StepContext _context;
    readonly string _layer;
    readonly int _columns;
    readonly Region? _region;

    public Tap(StepContext context, string layer, int columns, int maxRows)
    {
        (_context, _layer, _columns) = (context, layer, columns);
        if (context.Options.Observer is not null) _region = context.Arena.Plan<float>((long)maxRows * columns);
    }

    /// <summary>Of a layer that sees every token.</summary>
    public static Tap OfTokens(StepContext context, CompiledLayer layer) =>
        new(context, layer.Name, layer.Inputs, context.Options.MaxBatch * context.Model.Architecture.Tokens);

    /// <summary>Keeps rows first..first+count-1.</summary>
    public void Keep(float* rows, int first, int count)
    {
        if (_region is not { } region) return;
        var length = count * _columns;
        new ReadOnlySpan<float>(rows, length).CopyTo(new(_context.Arena.Pointer<float>(region) + (long)first * _columns, length));
    }

    public void Show(ActivationObserver observer, int rows) =>
        observer(new(ActivationKind.LinearInput, _layer, _columns, new(_context.Arena.Pointer<float>(_region!.Value), rows * _columns)));
}
