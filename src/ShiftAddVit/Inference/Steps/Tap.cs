using System.Collections.Immutable;

namespace ShiftAddVit.Inference.Steps;

/// <summary>A copy of what enters a layer, and of what its mixtures chose, kept for an observer; without one it costs nothing.</summary>
sealed unsafe class Tap
{
    readonly StepContext _context;
    readonly string _name;
    readonly int _columns;
    readonly CompiledLayer? _layer;
    readonly Region? _region;

    /// <summary>[M,2] of each mixture: expert and gate.</summary>
    readonly ImmutableArray<(Routing Routing, Region Region)> _routings = [];

    public Tap(StepContext context, string name, int columns, int maxRows, CompiledLayer? layer = null)
    {
        (_context, _name, _columns, _layer) = (context, name, columns, layer);
        if (context.Options.Observer is null) return;
        _region = context.Arena.Plan<float>((long)maxRows * columns);
        if (layer is not null) _routings = [.. layer.Routings(0).Select(it => (it.Routing, context.Arena.Plan<float>(Length(maxRows))))];
    }

    /// <summary>Of a layer that sees every token.</summary>
    public static Tap OfTokens(StepContext context, CompiledLayer layer) =>
        new(context, layer.Name, layer.Inputs, context.Options.MaxBatch * context.Model.Architecture.Tokens, layer);

    /// <summary>Keeps rows first..first+count-1.</summary>
    /// <param name="rows">What entered.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="scratch">The layer's, as it left it; null for one without mixtures.</param>
    public void Keep(float* rows, int first, int count, byte* scratch = null)
    {
        if (_region is not { } region) return;
        var length = count * _columns;
        new ReadOnlySpan<float>(rows, length).CopyTo(new(_context.Arena.Pointer<float>(region) + (long)first * _columns, length));
        if (_routings.IsEmpty) return;
        foreach (var ((_, offset), (_, kept)) in _layer!.Routings(count).Zip(_routings))
            Keep(new(scratch + _layer.RowBytes(count) + offset, count), _context.Arena.Pointer<float>(kept) + Length(first), count);
    }

    public void Show(ActivationObserver observer, int rows)
    {
        observer(new(ActivationKind.LinearInput, _name, _columns, new(_context.Arena.Pointer<float>(_region!.Value), rows * _columns)));
        foreach (var (routing, region) in _routings)
            observer(new(
                ActivationKind.Routing, routing.Mixture, Activation.RoutingColumns, new(_context.Arena.Pointer<float>(region), (int)Length(rows))));
    }

    static long Length(int rows) => (long)rows * Activation.RoutingColumns;

    static void Keep(CompiledRouter.Routes routes, float* kept, int count)
    {
        for (var row = 0; row < count; row++, kept += Activation.RoutingColumns)
            (kept[0], kept[1]) = (routes.Experts[row], routes.Gates[row]);
    }
}
