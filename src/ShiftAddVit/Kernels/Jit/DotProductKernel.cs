using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// U8 activations times signed bytes by generated VPDPBUSD code, tiles of 6 rows x 64 outputs. Serves every weight format: shift weights
/// are integers up to 127 and are decoded to signed bytes when they are packed.
/// </summary>
sealed unsafe class DotProductKernel(Operation op, NumberType weights, TileShape shape) : IntegerKernel(
    new(op, NumberType.U8, weights, NumberType.I32, shape.Rows, shape.Vectors * Isa.Lanes, KernelIsa.Avx512Vnni),
    "weights decoded to signed bytes when packed; byte dot products (VPDPBUSD)",
    new(WeightFormat.S8, shape.Vectors * Isa.Lanes, DotProductEmitter.GroupInputs, accumulatorStarts: true))
{
    static readonly CodeCache<DotProductKey> Code = new(key => new DotProductEmitter(key, Isa).Emit());

    static VectorIsa Isa => VectorIsa.Avx512Vnni;

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

    /// <summary>Panel by panel, the rows in whole tiles and a last lower one.</summary>
    /// <param name="m">M.</param>
    /// <param name="n">N.</param>
    /// <param name="k">K.</param>
    /// <param name="start">The arguments of the first tile, its counts not set.</param>
    /// <param name="epilogue">Null for int32.</param>
    void Run(int m, int n, int k, in DotProductArguments start, Epilogue? epilogue)
    {
        var panelBytes = (nint)Packing.PanelBytes(k);
        var (tiles, rest) = Math.DivRem(m, shape.Rows);
        for (var first = 0; first < n; first += Packing.Nr)
        {
            var width = int.Min(Packing.Nr, n - first);
            var (vectors, tail) = ((width + Isa.Lanes - 1) / Isa.Lanes, width % Isa.Lanes);
            var arguments = start;
            arguments.Panel += first / Packing.Nr * panelBytes;
            arguments.Output = (float*)start.Output + first;
            arguments.ColumnScales += first;
            arguments.Bias += first;
            arguments.Mask = (1 << tail) - 1;
            arguments.Tiles = tiles;
            var key = new DotProductKey(shape, shape.Rows, vectors, tail != 0, k, epilogue);
            if (tiles > 0) Call(key, &arguments);
            arguments.Tiles = 1;
            if (rest > 0) Call(key with { Rows = rest }, &arguments);
        }
    }

    static void Call(DotProductKey key, DotProductArguments* arguments) =>
        ((delegate* unmanaged<DotProductArguments*, void>)Code.Get(key))(arguments);
}
