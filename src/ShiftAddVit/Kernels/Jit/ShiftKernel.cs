using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>MatShift that shifts and adds: neither a multiplication nor a dot product in its generated code. Tiles of 8 rows x 32 outputs.</summary>
sealed unsafe class ShiftKernel(NumberType weights) : IntegerKernel(
    new(Operation.MatShift, NumberType.U8, weights, NumberType.I32, Mr, Nr, KernelIsa.Avx512, KernelSchedule.Shift),
    $"real shifts and adds: {(weights == NumberType.P4 ? "one shift" : "two shifts and one add")} a weight, four terms in int16 before int32",
    new(Enum.Parse<WeightFormat>(weights.ToString()), Nr, weights == NumberType.P4 ? 2 : 1))
{
    const int Mr = ShiftTileEmitter.MaxRows;
    const int Nr = ShiftTileEmitter.Outputs;
    const int Lanes = TileEmitter.VectorBytes / sizeof(int);

    public override int ScratchBytes(int k) => Mr * RowBytes(k);

    static int RowBytes(int k) => (int)AlignedBuffer.Align(k * sizeof(int));

    public override void Run(in IntegerOperands o)
    {
        var whole = Name.B == NumberType.P4
            ? new TileKey(TileKind.ShiftP4, Mr, Nr / Lanes, o.K) : new TileKey(TileKind.ShiftP4P4, Mr, Nr / Lanes, 2 * o.K);
        var functions = new TileFunctions(whole, Lanes, o.M, o.N);
        var panelBytes = (nint)Packing.PanelBytes(o.K);
        for (var m = 0; m < o.M; m += Mr)
        {
            var height = int.Min(Mr, o.M - m);
            for (var row = 0; row < height; row++) Spread(o.Activations + (m + row) * o.ActivationStride, o.K, (int*)(o.Scratch + row * RowBytes(o.K)));
            for (var n = 0; n < o.N; n += Nr)
            {
                var arguments = new TileArguments
                {
                    Activations = o.Scratch, ActivationStride = RowBytes(o.K), Panel = o.Weights + n / Nr * panelBytes,
                    Output = (byte*)((int*)o.Output + m * o.OutputStride + n), OutputStride = o.OutputStride * sizeof(int),
                };
                functions.Run(ref arguments, height, int.Min(Nr, o.N - n));
            }
        }
    }

    /// <summary>x = q - 128 in both halves of a 32-bit lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Spread(byte* q, int k, int* x)
    {
        var i = 0;
        for (; i <= k - Lanes; i += Lanes)
        {
            var centred = Vector512.WidenLower(Vector512.WidenLower(Vector512.Create(Vector256.Create(Vector128.Load(q + i), default), default))).AsInt32()
                - Vector512.Create(128);
            ((centred << 16) | (centred & Vector512.Create(0xFFFF))).Store(x + i);
        }
        for (; i < k; i++) x[i] = ((q[i] - 128) << 16) | ((q[i] - 128) & 0xFFFF);
    }
}
