using ShiftAddVit.Tensors;

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
    public DotProductKernel(Operation op, NumberType weights, DotProductTile tile) : base(
        new(op, NumberType.U8, weights, NumberType.I32, tile.Rows, tile.Nr, tile.Isa.Name), Describe(tile.Products),
        new(WeightFormat.S8, tile.Nr, TileProductEmitter.GroupInputs, tile.AccumulatorStarts))
    {
        Tile = tile;
        _code = new(key => new DotProductEmitter(key, tile).Emit());
    }

    static string Describe(ProductForm products) => "weights decoded to signed bytes when packed; " + products switch
    {
        ProductForm.DotProduct => "byte dot products (VPDPBUSD)",
        ProductForm.UnsignedPairs => "products of byte pairs (VPMADDUBSW)",
        _ => "products of byte pairs, signs moved to the weights (VPSIGNB, VPMADDUBSW)",
    };

    public DotProductTile Tile { get; }

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    public override long ScratchBytes(int m, int n, int k) => 0;

    public override void Run(in IntegerOperands o)
    {
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.OutputStride * sizeof(int),
        };
        Run(o.M, o.N, o.K, arguments, null);
    }

    /// <summary>Gelu by its exact formula is left to the row operations, once the rows are complete.</summary>
    public override void Run(in LinearOperands o, RowOps rows)
    {
        var arguments = new DotProductArguments
        {
            Activations = o.Activations, ActivationStride = o.ActivationStride, Panel = o.Weights,
            Output = o.Output, OutputStride = o.OutputStride * sizeof(float),
            RowScales = o.RowScales, ColumnScales = o.ColumnScales, Bias = o.Bias, Table = GeluTable.Pointer,
        };
        Run(o.M, o.N, o.K, arguments, o.Epilogue == Epilogue.Gelu ? Epilogue.Store : o.Epilogue);
        if (o.Epilogue != Epilogue.Gelu) return;
        for (var m = 0; m < o.M; m++) rows.Gelu(o.Output + m * o.OutputStride, o.N, o.Output + m * o.OutputStride);
    }

    /// <summary>The whole panels, then what is left of N.</summary>
    /// <param name="m">M.</param>
    /// <param name="n">N.</param>
    /// <param name="k">K.</param>
    /// <param name="start">The arguments of the first tile, its counts not set.</param>
    /// <param name="epilogue">Null for int32.</param>
    void Run(int m, int n, int k, DotProductArguments start, Epilogue? epilogue)
    {
        var (panels, width) = Math.DivRem(n, Packing.Nr);
        start.End = start.Panel + Packing.ByteLength(n, k);
        if (panels > 0) RunPanels(panels, m, Key(m, k, Tile.Vectors, false, epilogue), ref start);
        if (width == 0) return;
        var (vectors, tail) = Math.DivRem(width, Tile.Isa.Lanes);
        start.Mask = (1 << tail) - 1;
        if (!Tile.Isa.HasMaskRegisters) new Span<int>(start.TailLanes, tail).Fill(-1);
        RunPanels(1, m, Key(m, k, vectors + (tail > 0 ? 1 : 0), tail > 0, epilogue), ref start);
    }

    DotProductKey Key(int m, int k, int vectors, bool masked, Epilogue? epilogue)
    {
        var pipelined = Tile.Pipelines(m, k);
        return new(Name, pipelined ? DotProductTile.PipelinedRows : Tile.Rows, vectors, masked, k, epilogue, pipelined);
    }

    /// <summary>Panel by panel, the rows in whole tiles and a last lower one. Moves the arguments beyond the panels.</summary>
    void RunPanels(int count, int m, DotProductKey key, ref DotProductArguments next)
    {
        var (tiles, rest) = Math.DivRem(m, key.Rows);
        var panelBytes = (nint)Packing.PanelBytes(key.Inputs);
        var whole = tiles > 0 ? Find(key) : null;
        var last = rest > 0 ? Find(key with { Rows = rest, Pipelined = false }) : null;
        for (var panel = 0; panel < count; panel++)
        {
            if (next.Ahead < next.Panel + panelBytes) next.Ahead = next.Panel + panelBytes;
            var arguments = next;
            arguments.Tiles = tiles;
            if (tiles > 0) whole(&arguments);
            arguments.Tiles = 1;
            if (rest > 0) last(&arguments);
            next.Ahead = arguments.Ahead;
            next.Panel += panelBytes;
            next.Output = (float*)next.Output + Packing.Nr;
            next.ColumnScales += Packing.Nr;
            next.Bias += Packing.Nr;
        }
    }

    delegate* unmanaged<DotProductArguments*, void> Find(DotProductKey key) => (delegate* unmanaged<DotProductArguments*, void>)_code.Get(key);
}
