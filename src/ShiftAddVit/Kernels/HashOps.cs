using System.Runtime.CompilerServices;
using ShiftAddVit.Kernels.Portable;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Kernelised hashes (<see cref="Models.KernelHash"/>) of rows of heads, in vectors of up to a given width: lanes are anchors, then bits. The bits are
/// those of <see cref="Reference.LinearAttentionReference.Hash"/> in every width.
/// </summary>
sealed unsafe class HashOps(KernelIsa widest)
{
    /// <summary>Added to the squared length of what is hashed, which may be 0.</summary>
    public const float LengthEpsilon = 1e-12f;

    /// <summary>Anchors and bits are padded to a multiple of this.</summary>
    public const int Padding = LaneSum.Lanes;

    const int RowsAtATime = 4;

    /// <summary>A number of anchors or bits rounded up.</summary>
    public static int Padded(int count) => (count + Padding - 1) & -Padding;

    /// <summary>Hashes one head of some rows.</summary>
    public void Run(in HashOperands o)
    {
        if (widest >= KernelIsa.Vector512) Rows<FloatLanes512>(o);
        else if (widest >= KernelIsa.Vector256) Rows<FloatLanes256>(o);
        else if (widest >= KernelIsa.Vector128) Rows<FloatLanes128>(o);
        else Rows<FloatLanes1>(o);
    }

    /// <summary>Four rows at a time, the last ones again where there are fewer: each keeps the others' units busy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Rows<T>(in HashOperands o) where T : struct, IFloatLanes<T>
    {
        var x = stackalloc float[RowsAtATime * o.HeadSize];
        var stride = Padded(o.Anchors);
        var similarities = stackalloc float[RowsAtATime * stride];
        for (var first = 0; first < o.Rows; first += RowsAtATime)
        {
            for (var i = 0; i < RowsAtATime; i++) Normalize(o.X + int.Min(first + i, o.Rows - 1) * o.XStride, o.HeadSize, x + i * o.HeadSize);
            for (var anchor = 0; anchor < o.Anchors; anchor += T.Count) Compare<T>(o, x, anchor, similarities + anchor);
            for (var i = 0; i < RowsAtATime && first + i < o.Rows; i++)
            {
                ulong code = 0;
                for (var bit = 0; bit < o.Bits; bit += T.Count) code |= (ulong)Project<T>(o, similarities + i * stride, bit).PositiveBits() << bit;
                o.Codes[first + i] = code;
            }
        }
    }

    /// <summary>x / sqrt(||x||^2 + epsilon).</summary>
    void Normalize(float* x, int d, float* y)
    {
        new ReadOnlySpan<float>(x, d).CopyTo(new(y, d));
        var square = new Square { X = x };
        var scale = new Scale { X = y, Factor = 1 / MathF.Sqrt(LaneSum.Of(ref square, d, widest) + LengthEpsilon) };
        Traversal.ForEach(ref scale, d, widest);
    }

    /// <summary>e^(factor ||x - anchor||^2) - mean of some anchors and all rows, channels ascending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Compare<T>(in HashOperands o, float* x, int anchor, float* similarities) where T : struct, IFloatLanes<T>
    {
        T d0 = default, d1 = default, d2 = default, d3 = default;
        var anchors = o.AnchorColumns + anchor;
        var (d, stride) = (o.HeadSize, Padded(o.Anchors));
        for (var c = 0; c < d; c++, anchors += stride)
        {
            var point = T.Load(anchors);
            d0 = AddSquare(T.Create(x[c]) - point, d0);
            d1 = AddSquare(T.Create(x[c + d]) - point, d1);
            d2 = AddSquare(T.Create(x[c + 2 * d]) - point, d2);
            d3 = AddSquare(T.Create(x[c + 3 * d]) - point, d3);
        }
        var (factor, mean) = (T.Create(o.Factor), T.Load(o.Mean + anchor));
        (Elementary.Exp(d0 * factor) - mean).Store(similarities);
        (Elementary.Exp(d1 * factor) - mean).Store(similarities + stride);
        (Elementary.Exp(d2 * factor) - mean).Store(similarities + 2 * stride);
        (Elementary.Exp(d3 * factor) - mean).Store(similarities + 3 * stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T AddSquare<T>(T x, T sum) where T : struct, IFloatLanes<T> => T.MultiplyAdd(x, x, sum);

    /// <summary>SUM_a projection_ra K_a of some bits r, anchors ascending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static T Project<T>(in HashOperands o, float* similarities, int bit) where T : struct, IFloatLanes<T>
    {
        T sum = default;
        var columns = o.ProjectionColumns + bit;
        var stride = Padded(o.Bits);
        for (var a = 0; a < o.Anchors; a++, columns += stride) sum = T.MultiplyAdd(T.Create(similarities[a]), T.Load(columns), sum);
        return sum;
    }
}

/// <summary>Rows of a head to hash.</summary>
unsafe struct HashOperands
{
    public required int Rows, HeadSize, Anchors, Bits;

    /// <summary>[rows,D].</summary>
    public required float* X;
    public required nint XStride;

    /// <summary>[D, padded A].</summary>
    public required float* AnchorColumns;

    /// <summary>[padded A].</summary>
    public required float* Mean;

    /// <summary>[A, padded I].</summary>
    public required float* ProjectionColumns;

    /// <summary>-1 / (2 spread).</summary>
    public required float Factor;

    /// <summary>[rows].</summary>
    public required ulong* Codes;
}
