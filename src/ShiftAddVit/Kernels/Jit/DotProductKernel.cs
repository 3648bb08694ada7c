using Iced.Intel;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// U8 activations times signed bytes by generated code, one panel and tile after the other. Serves every weight format: shift weights are
/// integers up to 127, or of P5 two of them, and are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class DotProductKernel : IntegerKernel
{
    /// <summary>Of what is read next, fetched in time: until the code that reads it can do so itself, a panel of 768 inputs.</summary>
    const int NextBytes = 48 * 1024;

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
        _code = new($"{Name}", key => new DotProductEmitter(key, tile).Emit());
    }

    static string Describe(DotProductTile tile) => "weights decoded to signed bytes when packed; " + tile.Products switch
    {
        ProductForm.DotProduct => "byte dot products (VPDPBUSD)",
        ProductForm.UnsignedPairs => "products of byte pairs (VPMADDUBSW)",
        _ => "products of byte pairs, signs moved to the weights (VPSIGNB, VPMADDUBSW)",
    } + (tile.PipelinedInputs > 0 ? "; epilogues among the sums of the next tile" : "");

    public DotProductTile Tile { get; }

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    public override void Run(in IntegerOperands o)
    {
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.OutputStride * sizeof(int),
        };
        Run(o.M, o.N, Key(o.M, o.K, null), ref arguments);
    }

    /// <summary>Heads that are not a panel each are left to the row operations, once the rows are complete; so are offsets.</summary>
    public override void Run(in LinearOperands o, RowOps rows)
    {
        if (o.Offsets is not null || (o.Epilogue == Epilogue.QuantizeHeads && !Quantizes(o))) base.Run(o, rows);
        else Run(o, rows, split: false);
    }

    /// <summary>The same layer of weights in two parts, without heads and offsets.</summary>
    public void RunSplit(in LinearOperands o, RowOps rows) => Run(o, rows, split: true);

    /// <summary>Gelu by its exact formula is left to the row operations too.</summary>
    void Run(in LinearOperands o, RowOps rows, bool split)
    {
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.OutputStride * ElementBytes(o.Epilogue),
            Next = o.Next, NextEnd = o.Next is null ? null : o.Next + NextBytes,
            RowScales = o.RowScales, ColumnScales = o.ColumnScales, Bias = o.Bias,
            Table = o.Epilogue == Epilogue.QuantizeHeads ? HeadConstants.Pointer : GeluTable.Pointer,
            RowResults = o.Epilogue == Epilogue.QuantizeHeads ? o.Heads.Scales : o.RowMaxima, RowResultStep = o.Heads.Stride * sizeof(float),
            HighWeight = P5.HighWeight,
        };
        var key = Key(o.M, o.K, o.Epilogue == Epilogue.Gelu ? Epilogue.Store : o.Epilogue, split);
        var measures = o.RowMaxima is not null && Measures(o, key);
        Run(o.M, o.N, key with { Measures = measures }, ref arguments);
        for (var m = 0; o.Epilogue == Epilogue.Gelu && m < o.M; m++) rows.Gelu(o.Output + m * o.OutputStride, o.N, o.Output + m * o.OutputStride);
        for (var m = 0; o.RowMaxima is not null && !measures && m < o.M; m++) Measure(o, m, rows);
    }

    /// <summary>What lies beyond N in a panel has a gelu too, so that panels must be whole.</summary>
    bool Measures(in LinearOperands o, DotProductKey key) =>
        Tile.Isa.LargerMagnitude != Code.INVALID && o.N % key.Nr(Tile) == 0 && o.Epilogue is not Epilogue.Gelu;

    bool Quantizes(in LinearOperands o) => HeadQuantizationEmitter.Fits(Tile) && o.Heads.HeadSize == Tile.Nr;

    static int ElementBytes(Epilogue? epilogue) => epilogue == Epilogue.QuantizeHeads ? sizeof(byte) : sizeof(float);

    /// <summary>The code for whole panels and M rows; no epilogue leaves int32.</summary>
    DotProductKey Key(int m, int k, Epilogue? epilogue, bool split = false) =>
        new(Tile.RowsFor(m, k), split ? Tile.Vectors / 2 : Tile.Vectors, Masked: false, k, epilogue, Tile.Pipelines(m, k), Split: split);

    /// <summary>The whole panels, then what is left of N.</summary>
    /// <param name="m">M.</param>
    /// <param name="n">N.</param>
    /// <param name="key">The code for whole panels.</param>
    /// <param name="start">The arguments of the first tile, its counts not set; changed.</param>
    void Run(int m, int n, DotProductKey key, ref DotProductArguments start)
    {
        var (nr, panelBytes) = (key.Nr(Tile), Packing.PanelBytes(key.Inputs));
        var (panels, width) = Math.DivRem(n, nr);
        var (vectors, tail) = Math.DivRem(width, Tile.Isa.Lanes);
        start.End = start.Panel + (width == 0 ? panels : panels + 1) * panelBytes;
        if (panels > 0) RunPanels(panels, m, key, start);
        if (width == 0) return;
        start.Panel += panels * panelBytes;
        start.Output = (float*)start.Output + panels * nr;
        start.ColumnScales += panels * nr;
        start.Bias += panels * nr;
        start.Mask = (1 << tail) - 1;
        if (!Tile.Isa.HasMaskRegisters)
            for (var lane = 0; lane < tail; lane++) start.TailLanes[lane] = -1;
        RunPanels(1, m, key with { Vectors = vectors + (tail > 0 ? 1 : 0), Masked = tail > 0 }, start);
    }

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
        arguments.Output = (byte*)start.Output + firstRow * start.OutputStride;
        arguments.RowScales += firstRow;
        arguments.RowResults += firstRow * key.RowResultBytes / sizeof(float);
        (arguments.Tiles, arguments.AllTiles) = (tiles, (nint)tiles * panels);
        (arguments.SumTiles, arguments.EpilogueTiles) = (tiles, tiles);
        arguments.FirstActivations = arguments.Activations;
        arguments.FirstRowScales = arguments.RowScales;
        arguments.OutputStep = key.Nr(Tile) * ElementBytes(key.Epilogue) - tiles * key.Rows * arguments.OutputStride;
        arguments.RowResultStep -= tiles * key.Rows * key.RowResultBytes;
        arguments.Ahead = arguments.Panel + Packing.PanelBytes(key.Inputs);
        Find(key)(&arguments);
    }

    delegate* unmanaged<DotProductArguments*, void> Find(DotProductKey key) => (delegate* unmanaged<DotProductArguments*, void>)_code.Get(key);
}
