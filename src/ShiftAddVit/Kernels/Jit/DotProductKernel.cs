using System.Collections.Concurrent;
using System.Globalization;
using Iced.Intel;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// U8 activations times signed bytes by generated code, one panel and tile after the other. Serves every weight format: shift weights are
/// integers up to 127 and are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class DotProductKernel : IntegerKernel
{
    /// <summary>Of what is read next, fetched in time: until the code that reads it can do so itself, a panel of 768 inputs.</summary>
    const int NextBytes = 48 * 1024;

    /// <summary>Tiles share their code: of all formats of weights, and of every registry of the process.</summary>
    static readonly ConcurrentDictionary<DotProductTile, CodeCache<DotProductKey>> CodeOfTiles = new();

    readonly CodeCache<DotProductKey> _code;

    /// <summary>A kernel of a tile.</summary>
    /// <param name="op">What it computes.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="tile">How it computes.</param>
    /// <param name="schedule">Tells kernels of the same tile apart.</param>
    public DotProductKernel(Operation op, NumberType weights, DotProductTile tile, KernelSchedule schedule = KernelSchedule.Default) : base(
        new(op, NumberType.U8, weights, NumberType.I32, tile.Rows, tile.Nr, tile.Isa.Name, schedule), Describe(tile), tile.Packing)
    {
        Tile = tile;
        _code = CodeOfTiles.GetOrAdd(tile, it => new($"{it}", key => new DotProductEmitter(key, it).Emit()));
    }

    static string Describe(DotProductTile tile) => "weights decoded to signed bytes when packed; " + tile.Products switch
    {
        ProductForm.DotProduct => "byte dot products (VPDPBUSD)",
        ProductForm.UnsignedPairs => "products of byte pairs (VPMADDUBSW)",
        _ => "products of byte pairs, signs moved to the weights (VPSIGNB, VPMADDUBSW)",
    } + (tile.PipelinedInputs > 0 ? "; epilogues among the sums of the next tile" : "")
        + string.Create(CultureInfo.InvariantCulture, $"; {tile.Unroll} groups of inputs a round");

    public DotProductTile Tile { get; }

    public override void Run(in IntegerOperands o)
    {
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.OutputStride * sizeof(int), OutputStep = Tile.Nr * sizeof(int),
        };
        Run(o.M, o.N, o.K, ref arguments, null);
    }

    /// <summary>
    /// Gelu by its exact formula is left to the row operations, once the rows are complete; so are heads that are not a panel each or go elsewhere, and
    /// offsets.
    /// </summary>
    public override void Run(in LinearOperands o, RowOps rows)
    {
        var readsHeads = o.Epilogue is Epilogue.QuantizeHeads or Epilogue.Codes;
        if (o.Offsets is not null || (readsHeads && !HeadsArePanels(o)))
        {
            base.Run(o, rows);
            return;
        }
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.Epilogue == Epilogue.Codes ? sizeof(ulong) : o.OutputStride * ElementBytes(o.Epilogue),
            OutputStep = o.Epilogue == Epilogue.Codes ? o.OutputStride * sizeof(ulong) : Tile.Nr * ElementBytes(o.Epilogue),
            Next = o.Next, NextEnd = o.Next is null ? null : o.Next + NextBytes,
            RowScales = o.RowScales, ColumnScales = o.ColumnScales, Bias = o.Bias, Targets = o.Targets.Rows, Gates = o.Targets.Gates,
            Table = readsHeads ? HeadConstants.Pointer : GeluTable.Pointer,
            RowResults = readsHeads ? o.Heads.Scales : o.RowMaxima, RowResultStep = o.Heads.Stride * sizeof(float),
        };
        var measures = o.Epilogue == Epilogue.Codes ? o.Heads.Scales is not null : o.RowMaxima is not null && Measures(o);
        Run(o.M, o.N, o.K, ref arguments, o.Epilogue == Epilogue.Gelu ? Epilogue.Store : o.Epilogue, measures);
        for (var m = 0; o.Epilogue == Epilogue.Gelu && m < o.M; m++) rows.Gelu(o.OutputRow(m), o.N, o.OutputRow(m));
        for (var m = 0; o.RowMaxima is not null && !measures && m < o.M; m++) Measure(o, m, rows);
    }

    /// <summary>What lies beyond N in a panel has a gelu too, so that panels must be whole.</summary>
    bool Measures(in LinearOperands o) =>
        Tile.Isa.LargerMagnitude != Code.INVALID && o.N % Tile.Nr == 0 && o.Epilogue is not Epilogue.Gelu;

    bool HeadsArePanels(in LinearOperands o) => HeadQuantizationEmitter.Fits(Tile) && o.Heads.HeadSize == Tile.Nr && !o.Targets.AreGiven;

    static int ElementBytes(Epilogue? epilogue) => epilogue == Epilogue.QuantizeHeads ? sizeof(byte) : sizeof(float);

    /// <summary>The whole panels, then what is left of N.</summary>
    /// <param name="m">M.</param>
    /// <param name="n">N.</param>
    /// <param name="k">K.</param>
    /// <param name="start">The arguments of the first tile, its counts not set; changed.</param>
    /// <param name="epilogue">Null for int32.</param>
    /// <param name="measures">Whether the largest magnitudes of rows are kept.</param>
    void Run(int m, int n, int k, ref DotProductArguments start, Epilogue? epilogue, bool measures = false)
    {
        var (panels, width) = Math.DivRem(n, Tile.Nr);
        var (vectors, tail) = Math.DivRem(width, Tile.Isa.Lanes);
        start.End = start.Panel + Packing.ByteLength(n, k);
        var key = new DotProductKey(Tile.RowsFor(m, k), Tile.Vectors, Masked: false, k, epilogue, Tile.Pipelines(m, k), measures, start.Targets is not null);
        if (panels > 0) RunPanels(panels, m, key, start);
        if (width == 0) return;
        start.Panel += panels * Packing.PanelBytes(k);
        start.Output = (float*)start.Output + panels * Tile.Nr;
        start.ColumnScales += panels * Tile.Nr;
        start.Bias += panels * Tile.Nr;
        start.Mask = (1 << tail) - 1;
        if (!Tile.Isa.HasMaskRegisters)
            for (var lane = 0; lane < tail; lane++) start.TailLanes[lane] = -1;
        RunPanels(1, m, Narrowed(key, vectors + (tail > 0 ? 1 : 0)) with { Masked = tail > 0 }, start);
    }

    /// <summary>The same with fewer vectors, and higher where that leaves registers: with few sums each would wait for the one before.</summary>
    DotProductKey Narrowed(DotProductKey key, int vectors) => 2 * vectors > Tile.Vectors
        ? key with { Vectors = vectors }
        : key with { Vectors = vectors, Rows = int.Min(TileProductEmitter.MostRows, Tile.Rows * Tile.Vectors / vectors), Pipelined = false };

    /// <summary>The rows in whole tiles, panel by panel, then what is left of M in lower ones.</summary>
    void RunPanels(int count, int m, DotProductKey key, in DotProductArguments start)
    {
        var (tiles, rest) = Math.DivRem(m, key.Rows);
        if (tiles > 0) RunTiles(0, tiles, count, key, start);
        if (rest > 0) RunTiles(m - rest, 1, count, key with { Rows = rest, Pipelined = false }, start);
    }

    /// <summary>Copies the arguments once: they are long, and a call should cost less than a tile.</summary>
    void RunTiles(int firstRow, int tiles, int panels, DotProductKey key, in DotProductArguments start)
    {
        var arguments = start;
        arguments.Activations += firstRow * start.ActivationStride;
        arguments.RowScales += firstRow;
        if (key.Scatters)
        {
            arguments.Targets += firstRow;
            arguments.Gates += firstRow;
        }
        else
        {
            arguments.Output = (byte*)start.Output + firstRow * start.OutputStride;
            arguments.RowResults += firstRow * key.RowResultBytes / sizeof(float);
        }
        (arguments.Tiles, arguments.AllTiles) = (tiles, (nint)tiles * panels);
        (arguments.SumTiles, arguments.EpilogueTiles) = (tiles, tiles);
        arguments.FirstActivations = arguments.Activations;
        arguments.FirstRowScales = arguments.RowScales;
        arguments.FirstTargets = arguments.Targets;
        arguments.FirstGates = arguments.Gates;
        var passed = key.Scatters ? 0 : tiles * key.Rows;
        arguments.OutputStep -= passed * arguments.OutputStride;
        arguments.RowResultStep -= passed * key.RowResultBytes;
        arguments.Ahead = arguments.Panel + Packing.PanelBytes(key.Inputs);
        ((delegate* unmanaged<DotProductArguments*, void>)Function(key))(&arguments);
    }

    internal nint Function(DotProductKey key) => _code.Get(key);
}
