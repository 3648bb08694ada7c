
namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// U8 activations times signed bytes by generated code, one panel and tile after the other. Serves every weight format: shift weights are
/// integers up to 127 and are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class DotProductKernel : IntegerKernel
{
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
        _code = new(key => new DotProductEmitter(key, tile).Emit());
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
        Run(o.M, o.N, o.K, arguments, null);
    }

    /// <summary>
    /// Gelu by its exact formula is left to the row operations, once the rows are complete; so are heads that are not a panel each, and offsets.
    /// </summary>
    public override void Run(in LinearOperands o, RowOps rows)
    {
        if (o.Offsets is not null || (o.Epilogue == Epilogue.QuantizeHeads && !Quantizes(o)))
        {
            base.Run(o, rows);
            return;
        }
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.OutputStride * ElementBytes(o.Epilogue),
            RowScales = o.RowScales, ColumnScales = o.ColumnScales, Bias = o.Bias,
            Table = o.Epilogue == Epilogue.QuantizeHeads ? HeadConstants.Pointer : GeluTable.Pointer,
            HeadScales = o.Heads.Scales, HeadScaleStep = o.Heads.Stride * sizeof(float),
        };
        Run(o.M, o.N, o.K, arguments, o.Epilogue == Epilogue.Gelu ? Epilogue.Store : o.Epilogue);
        if (o.Epilogue != Epilogue.Gelu) return;
        for (var m = 0; m < o.M; m++) rows.Gelu(o.Output + m * o.OutputStride, o.N, o.Output + m * o.OutputStride);
    }

    bool Quantizes(in LinearOperands o) => HeadQuantizationEmitter.Fits(Tile) && o.Heads.HeadSize == Tile.Nr;

    static int ElementBytes(Epilogue? epilogue) => epilogue == Epilogue.QuantizeHeads ? sizeof(byte) : sizeof(float);

    /// <summary>The whole panels, then what is left of N.</summary>
    /// <param name="m">M.</param>
    /// <param name="n">N.</param>
    /// <param name="k">K.</param>
    /// <param name="start">The arguments of the first tile, its counts not set.</param>
    /// <param name="epilogue">Null for int32.</param>
    void Run(int m, int n, int k, DotProductArguments start, Epilogue? epilogue)
    {
        var (panels, width) = Math.DivRem(n, Tile.Nr);
        var (vectors, tail) = Math.DivRem(width, Tile.Isa.Lanes);
        var key = new DotProductKey(Name, Tile.RowsFor(m, k), Tile.Vectors, Masked: false, k, epilogue, Tile.Pipelines(m, k));
        start.End = start.Panel + Packing.ByteLength(n, k);
        if (panels > 0) RunPanels(panels, m, key, start);
        if (width == 0) return;
        start.Panel += panels * Packing.PanelBytes(k);
        start.Output = (float*)start.Output + panels * Tile.Nr;
        start.ColumnScales += panels * Tile.Nr;
        start.Bias += panels * Tile.Nr;
        start.Mask = (1 << tail) - 1;
        if (!Tile.Isa.HasMaskRegisters) new Span<int>(start.TailLanes, tail).Fill(-1);
        RunPanels(1, m, key with { Vectors = vectors + (tail > 0 ? 1 : 0), Masked = tail > 0 }, start);
    }

    /// <summary>The rows in whole tiles, panel by panel, then what is left of M in lower ones.</summary>
    void RunPanels(int count, int m, DotProductKey key, DotProductArguments start)
    {
        var (tiles, rest) = Math.DivRem(m, key.Rows);
        var rows = m - rest;
        if (tiles > 0) RunTiles(tiles, count, key, start);
        if (rest == 0) return;
        start.Activations += rows * start.ActivationStride;
        start.Output = (byte*)start.Output + rows * start.OutputStride;
        start.RowScales += rows;
        start.HeadScales += rows;
        RunTiles(1, count, key with { Rows = rest, Pipelined = false }, start);
    }

    void RunTiles(int tiles, int panels, DotProductKey key, DotProductArguments arguments)
    {
        (arguments.Tiles, arguments.AllTiles) = (tiles, (nint)tiles * panels);
        (arguments.SumTiles, arguments.EpilogueTiles) = (tiles, tiles);
        arguments.FirstActivations = arguments.Activations;
        arguments.FirstRowScales = arguments.RowScales;
        arguments.OutputStep = Tile.Nr * ElementBytes(key.Epilogue) - tiles * key.Rows * arguments.OutputStride;
        arguments.HeadScaleStep -= tiles * key.Rows * sizeof(float);
        arguments.Ahead = arguments.Panel + Packing.PanelBytes(key.Inputs);
        Find(key)(&arguments);
    }

    delegate* unmanaged<DotProductArguments*, void> Find(DotProductKey key) => (delegate* unmanaged<DotProductArguments*, void>)_code.Get(key);
}
