using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Sums whose order no width changes: element i is added to lane i % 16, i ascending; then lanes are added by halves, 8 to 8, 4 to 4, 2 to 2, 1 to 1.
/// </summary>
static unsafe class LaneSum
{
    public const int Lanes = 16;

    /// <summary>The sum of what an operator returns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Of<TOp>(ref TOp op, int length, KernelIsa widest) where TOp : struct, ILaneOperator
    {
        if (widest >= KernelIsa.Vector512 && length % Lanes == 0) return Whole<TOp>(ref op, length);
        var lanes = stackalloc float[Lanes];
        if (widest >= KernelIsa.Vector512) Walk<TOp, FloatLanes512>(ref op, length, lanes);
        else if (widest >= KernelIsa.Vector256) Walk<TOp, FloatLanes256>(ref op, length, lanes);
        else if (widest >= KernelIsa.Vector128) Walk<TOp, FloatLanes128>(ref op, length, lanes);
        else Walk<TOp, FloatLanes1>(ref op, length, lanes);
        for (var half = Lanes / 2; half > 0; half /= 2)
            for (var lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
        return lanes[0];
    }

    /// <summary>Whole vectors of all lanes, which add by halves themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Whole<TOp>(ref TOp op, int length) where TOp : struct, ILaneOperator
    {
        var local = op;
        FloatLanes512 sum = default;
        for (nint i = 0; i < length; i += Lanes) sum += local.At<FloatLanes512>(i);
        return sum.SumLanes();
    }

    /// <summary>A vector of lanes after the other, then what does not fill all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Walk<TOp, T>(ref TOp op, int length, float* lanes) where TOp : struct, ILaneOperator where T : struct, IFloatLanes<T>
    {
        var local = op;
        nint whole = length & -Lanes;
        for (nint lane = 0; lane < Lanes; lane += T.Count)
        {
            T sum = default;
            for (var i = lane; i < whole; i += Lanes) sum += local.At<T>(i);
            sum.Store(lanes + lane);
        }
        for (var i = whole; i < length; i++) (FloatLanes1.Load(lanes + i - whole) + local.At<FloatLanes1>(i)).Store(lanes + i - whole);
    }
}
