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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Rows<T>(in HashOperands o) where T : struct, IFloatLanes<T>
    {
        var x = stackalloc float[o.HeadSize];
        var similarities = stackalloc float[Padded(o.Anchors)];
        for (var row = 0; row < o.Rows; row++)
        {
            Normalize(o.X + row * o.XStride, o.HeadSize, x);
            for (var anchor = 0; anchor < o.Anchors; anchor += T.Count) Compare<T>(o, x, anchor, similarities + anchor);
            ulong code = 0;
            for (var bit = 0; bit < o.Bits; bit += T.Count) code |= (ulong)Project<T>(o, similarities, bit).PositiveBits() << bit;
            o.Codes[row] = code;
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

    /// <summary>e^(factor ||x - anchor||^2) - mean of some anchors, channels ascending.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Compare<T>(in HashOperands o, float* x, int anchor, float* similarities) where T : struct, IFloatLanes<T>
    {
        T distance = default;
        var anchors = o.AnchorColumns + anchor;
        var stride = Padded(o.Anchors);
        for (var c = 0; c < o.HeadSize; c++, anchors += stride)
        {
            var difference = T.Create(x[c]) - T.Load(anchors);
            distance = T.MultiplyAdd(difference, difference, distance);
        }
        (Elementary.Exp(distance * T.Create(o.Factor)) - T.Load(o.Mean + anchor)).Store(similarities);
    }

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
