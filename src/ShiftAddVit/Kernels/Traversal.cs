using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>What is done to the lanes of a row that start at an index, in any width: an operation on rows is one such struct.</summary>
interface ILaneOperator
{
    /// <summary>Handles the elements from <paramref name="index"/> on and returns a value for each, for sums and maxima.</summary>
    T At<T>(nint index) where T : struct, IFloatLanes<T>;
}

/// <summary>
/// Walks a row from its start in the widest vectors allowed, then in each narrower width, one element at a time at the end: nothing
/// beyond the row is touched and no element is handled twice, so operators may work in place. The walks are optimised when first
/// compiled: unoptimised vector code is a hundred times slower, and a short-lived process would see little else.
/// </summary>
static class Traversal
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ForEach<TOp>(ref TOp op, int length, KernelIsa widest) where TOp : struct, ILaneOperator
    {
        nint i = 0;
        if (widest >= KernelIsa.Vector512) Walk<TOp, FloatLanes512>(ref op, ref i, length);
        if (i == length) return;
        if (widest >= KernelIsa.Vector256) Walk<TOp, FloatLanes256>(ref op, ref i, length);
        if (widest >= KernelIsa.Vector128) Walk<TOp, FloatLanes128>(ref op, ref i, length);
        Walk<TOp, FloatLanes1>(ref op, ref i, length);
    }

    /// <summary>The sum of the values; its order depends on the length and the widest vector only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum<TOp>(ref TOp op, int length, KernelIsa widest) where TOp : struct, ILaneOperator
    {
        nint i = 0;
        var sum = 0f;
        if (widest >= KernelIsa.Vector512) sum += WalkSum<TOp, FloatLanes512>(ref op, ref i, length);
        if (i == length) return sum;
        if (widest >= KernelIsa.Vector256) sum += WalkSum<TOp, FloatLanes256>(ref op, ref i, length);
        if (widest >= KernelIsa.Vector128) sum += WalkSum<TOp, FloatLanes128>(ref op, ref i, length);
        return sum + WalkSum<TOp, FloatLanes1>(ref op, ref i, length);
    }

    /// <summary>The largest of the values and <paramref name="least"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max<TOp>(ref TOp op, int length, KernelIsa widest, float least) where TOp : struct, ILaneOperator
    {
        nint i = 0;
        if (widest >= KernelIsa.Vector512) least = WalkMax<TOp, FloatLanes512>(ref op, ref i, length, least);
        if (i == length) return least;
        if (widest >= KernelIsa.Vector256) least = WalkMax<TOp, FloatLanes256>(ref op, ref i, length, least);
        if (widest >= KernelIsa.Vector128) least = WalkMax<TOp, FloatLanes128>(ref op, ref i, length, least);
        return WalkMax<TOp, FloatLanes1>(ref op, ref i, length, least);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Walk<TOp, T>(ref TOp op, ref nint index, int length) where TOp : struct, ILaneOperator where T : struct, IFloatLanes<T>
    {
        var (local, i) = (op, index);
        for (; i <= length - T.Count; i += T.Count) local.At<T>(i);
        index = i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float WalkSum<TOp, T>(ref TOp op, ref nint index, int length) where TOp : struct, ILaneOperator where T : struct, IFloatLanes<T>
    {
        var (local, i) = (op, index);
        T sum = default;
        for (; i <= length - T.Count; i += T.Count) sum += local.At<T>(i);
        index = i;
        return sum.SumLanes();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float WalkMax<TOp, T>(ref TOp op, ref nint index, int length, float least)
        where TOp : struct, ILaneOperator where T : struct, IFloatLanes<T>
    {
        var (local, i) = (op, index);
        var max = T.Create(least);
        for (; i <= length - T.Count; i += T.Count) max = T.Max(max, local.At<T>(i));
        index = i;
        return max.MaxLane();
    }
}
