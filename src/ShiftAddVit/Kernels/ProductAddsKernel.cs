using System.Numerics;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// K^T V by an integer kernel: codes become rows of activations that stand for 0 and 1. Tokens are taken in blocks, whose rows stay near; the
/// sums of blocks are added up.
/// </summary>
sealed unsafe class ProductAddsKernel(IntegerKernel product, byte zero) : AddTokensKernel(
    product.Name with { Op = Operation.MatAdd, A = NumberType.B1 }, $"codes as bytes 0 and 1; {product.Schedule}", product.Packing)
{
    const int BlockTokens = 4096, Quad = 4, LineBytes = 64;

    /// <summary>What multiplies; its panels begin with no sums.</summary>
    public IntegerKernel Product { get; } = product;

    /// <summary>The activation that counts as 0.</summary>
    public byte Zero { get; } = zero;

    public override string? Missing => Product.Missing;

    public override bool CanRun => Product.CanRun;

    static int PartialBytes(PackFormat packing) => MaxBits * packing.Nr * sizeof(int);

    /// <summary>An odd number of cache lines, so that rows do not drive each other from the cache.</summary>
    static int RowBytes(int tokens) => (int)AlignedBuffer.Align(tokens) | LineBytes;

    protected override int BlockBytes(int tokens) =>
        MaxBits * RowBytes(Block(tokens)) + PartialBytes(Packing) + Product.ScratchBytes(Block(tokens));

    /// <summary>Tokens of a block: all alike but the last, in whole quads.</summary>
    static int Block(int tokens)
    {
        var quads = ValuePacking.Inputs(tokens) / Quad;
        var blocks = int.Max((quads * Quad + BlockTokens - 1) / BlockTokens, 1);
        return (quads + blocks - 1) / blocks * Quad;
    }

    public override void Run(in AddTokensOperands o)
    {
        for (var i = 0; o.Tokens == 0 && i < o.Bits; i++) new Span<int>(o.Output + i * o.OutputStride, o.HeadSize).Clear();
        var block = Block(o.Tokens);
        for (var first = 0; first < o.Tokens; first += block) AddBlock(o, first, int.Min(block, o.Tokens - first), RowBytes(block));
    }

    void AddBlock(in AddTokensOperands o, int first, int tokens, int rowBytes)
    {
        CodeBytes.Expand(o.Codes + first, tokens, o.Bits, Zero, o.Scratch, rowBytes);
        var partial = (int*)(o.Scratch + MaxBits * rowBytes);
        for (var d = 0; d < o.HeadSize; d += Packing.Nr)
        {
            var width = int.Min(Packing.Nr, o.HeadSize - d);
            var output = first == 0 ? o.Output + d : partial;
            var stride = first == 0 ? o.OutputStride : Packing.Nr;
            Product.Run(new IntegerOperands
            {
                M = o.Bits, N = width, K = ValuePacking.Inputs(tokens), Activations = o.Scratch, ActivationStride = rowBytes,
                Weights = o.Values + d / Packing.Nr * (nint)Packing.PanelBytes(ValuePacking.Inputs(o.Tokens)) + (nint)first * Packing.Nr,
                Output = output, OutputStride = stride, Scratch = (byte*)partial + PartialBytes(Packing),
            });
            for (var i = 0; first > 0 && i < o.Bits; i++)
                Add(new(partial + i * stride, width), new(o.Output + i * o.OutputStride + d, width));
        }
    }

    static void Add(ReadOnlySpan<int> x, Span<int> y)
    {
        var n = 0;
        for (; n <= x.Length - Vector<int>.Count; n += Vector<int>.Count) (new Vector<int>(x[n..]) + new Vector<int>(y[n..])).CopyTo(y[n..]);
        for (; n < x.Length; n++) y[n] += x[n];
    }
}
