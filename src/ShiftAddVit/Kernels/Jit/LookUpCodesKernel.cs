using System.Runtime.Intrinsics;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>Q(KV) by generated table look-up, tiles of 3 tokens x 64 channels.</summary>
sealed unsafe class LookUpCodesKernel() : AddCodesKernel(
    new(Operation.MatAdd, NumberType.B1, NumberType.I32, NumberType.I32, Mr, Nr, KernelIsa.Avx512, KernelSchedule.LookUp),
    "adds only: sums of four rows looked up in tables of 16")
{
    const int Mr = LookUpCodesEmitter.MaxRows;
    const int Nr = Lanes * LookUpCodesEmitter.MaxVectors;
    const int Lanes = TileEmitter.VectorBytes / sizeof(int);

    public override string? Missing => base.Missing ?? ExecutableMemory.Refusal;

    public override bool CanRun => Missing is null;

    public override long ScratchBytes(int bits, int headSize) =>
        (headSize / Nr * CodeTables.Length(bits, Nr) + CodeTables.Length(bits, Width(headSize % Nr))) * (long)sizeof(int);

    static int VectorsOf(int channels) => (channels + Lanes - 1) / Lanes;

    /// <summary>Channels of an entry of up to 64.</summary>
    static int Width(int channels) => LookUpCodesEmitter.Vectors(VectorsOf(channels)) * Lanes;

    static int* Tables(in AddCodesOperands o, int d) => (int*)o.Scratch + d / Nr * (nint)CodeTables.Length(o.Bits, Nr);

    public override void Prepare(in AddCodesOperands o)
    {
        for (var d = 0; d < o.HeadSize; d += Nr)
            if (Vector512.IsHardwareAccelerated) Fill<IntegerLanes512>(o, d);
            else Fill<IntegerLanes256>(o, d);
    }

    static void Fill<T>(in AddCodesOperands o, int d) where T : struct, IIntegerLanes<T>
    {
        var channels = int.Min(Nr, o.HeadSize - d);
        CodeTables.Fill<T>(o.Sums + d, o.SumStride, o.Bits, channels, Width(channels), Tables(o, d));
    }

    public override void Run(in AddCodesOperands o)
    {
        var (tiles, rest) = Math.DivRem(o.Tokens, Mr);
        for (var d = 0; d < o.HeadSize; d += Nr)
        {
            if (tiles > 0) RunTiles(o, 0, Mr, tiles, d);
            if (rest > 0) RunTiles(o, tiles * Mr, rest, 1, d);
        }
    }

    static void RunTiles(in AddCodesOperands o, int first, int rows, int tiles, int d)
    {
        var channels = int.Min(Nr, o.HeadSize - d);
        var arguments = new TileArguments
        {
            Activations = (byte*)(o.Codes + first), Panel = (byte*)Tables(o, d), Mask = TileArguments.First(channels), Tiles = tiles,
            Output = (byte*)(o.Output + first * o.OutputStride + d), OutputStride = o.OutputStride * sizeof(int),
        };
        var key = new TileKey(TileKind.LookUpCodes, rows, VectorsOf(channels), o.Bits, Masked: channels % Lanes != 0);
        ((delegate* unmanaged<TileArguments*, void>)key.Function)(&arguments);
    }
}
