using System.Numerics;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>2^p * s built in float, then float products in the order that every kernel keeps.</summary>
sealed unsafe class FakeShift_F32P4F32_1x1_Reference() : FloatKernel(
    new(Operation.FakeShift, NumberType.F32, NumberType.P4, NumberType.F32, 1, 1, KernelIsa.Reference),
    "scalar: 2^p * s built in float, then a fused multiply-add", new(WeightFormat.P4, nr: 1, kGroup: 2))
{
    public override void Run(in FloatOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var codes = new ReadOnlySpan<byte>((byte*)o.Weights + n * Packing.PanelBytes(o.K), (int)Packing.PanelBytes(o.K));
                var a = o.Activations + m * o.ActivationStride;
                var sum = 0f;
                for (var k = 0; k < o.K; k++) sum = float.MultiplyAddEstimate(a[k], Weight(WeightPlane.Nibble(codes, k)), sum);
                o.Output[m * o.OutputStride + n] = sum;
            }
    }

    static float Weight(int code) => code == 0 ? 0 : MathF.ScaleB((code & 8) == 0 ? 1 : -1, (code & 7) - 1);
}

/// <summary>AdderNet: an add in place of each product.</summary>
sealed unsafe class MatDistance_U8S8I32_1x1_Reference() : DistanceKernel(
    new(Operation.MatDistance, NumberType.U8, NumberType.S8, NumberType.I32, 1, 1, KernelIsa.Reference),
    "scalar absolute differences", new(WeightFormat.S8, nr: 1, kGroup: 1))
{
    public override void Run(in IntegerOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var weights = (sbyte*)o.Weights + n * Packing.PanelBytes(o.K);
                var q = o.Activations + m * o.ActivationStride;
                var sum = 0;
                for (var k = 0; k < o.K; k++) sum -= Math.Abs(q[k] - 128 - weights[k]);
                ((int*)o.Output)[m * o.OutputStride + n] = sum;
            }
    }
}

/// <summary>One-bit codes: products are +1 where bits agree and -1 where they differ.</summary>
sealed unsafe class MatMul_B1B1I32_1x1_Reference() : BitKernel(
    new(Operation.MatMul, NumberType.B1, NumberType.B1, NumberType.I32, 1, 1, KernelIsa.Reference),
    "bits that differ, counted a word at a time", PackFormat.OneBit(nr: 1))
{
    public override void Run(in BitOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var words = (o.K + 31) / 32;
                var a = o.Activations + m * o.ActivationStride;
                var b = o.Weights + (nint)n * words;
                var differing = 0;
                for (var word = 0; word < words; word++) differing += BitOperations.PopCount(a[word] ^ b[word]);
                o.Output[m * o.OutputStride + n] = o.K - 2 * differing;
            }
    }
}
