using ShiftAddVit.Models;

namespace ShiftAddVit.Inference;

/// <summary>Rows sorted by expert.</summary>
unsafe struct RoutedRows
{
    /// <summary>K.</summary>
    public required int Inputs;

    /// <summary>q [M,K] and s [M], sorted.</summary>
    public required byte* Quantised;
    public required float* Scales;

    /// <summary>x [M,K], sorted, for experts that read floats.</summary>
    public required float* Values;

    /// <summary>Which row each is, and its gate [M].</summary>
    public required int* Order;
    public required float* Gates;

    /// <summary>Where the rows of each expert begin, and where the last end.</summary>
    fixed int _starts[BlockForm.MaxExperts + 1];

    /// <summary>The rows of an expert.</summary>
    public readonly LayerRows Of(int expert)
    {
        nint start = _starts[expert];
        return new()
        {
            Count = _starts[expert + 1] - (int)start,
            Values = Values + start * Inputs, Quantised = Quantised + start * Inputs, Scales = Scales + start,
            Targets = new() { Rows = Order + start, Gates = Gates + start },
        };
    }

    /// <summary>Counts the rows of each expert, then puts each behind those before it.</summary>
    public void Sort(in CompiledRouter.Routes routes, int m)
    {
        var next = stackalloc int[BlockForm.MaxExperts];
        new Span<int>(next, BlockForm.MaxExperts).Clear();
        for (var row = 0; row < m; row++) next[routes.Experts[row]]++;
        var start = 0;
        for (var e = 0; e < BlockForm.MaxExperts; e++)
        {
            _starts[e] = start;
            (start, next[e]) = (start + next[e], start);
        }
        _starts[BlockForm.MaxExperts] = start;
        for (var row = 0; row < m; row++)
        {
            var place = next[routes.Experts[row]]++;
            Order[place] = row;
            Gates[place] = routes.Gates[row];
        }
    }
}
