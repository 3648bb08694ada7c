using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>One term a weight, as the format means it: nibble codes, a shift and an add (or subtract) each.</summary>
sealed unsafe class MatShift_U8P4I32_1x1_Reference() : IntegerKernel(
    new(Operation.MatShift, NumberType.U8, NumberType.P4, NumberType.I32, 1, 1, KernelIsa.Reference),
    "real shifts and adds", new(WeightFormat.P4, nr: 1, kGroup: 2))
{
    public override void Run(in IntegerOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var codes = new ReadOnlySpan<byte>(o.Weights + n * Packing.PanelBytes(o.K), (int)Packing.PanelBytes(o.K));
                var q = o.Activations + m * o.ActivationStride;
                var sum = 0;
                for (var k = 0; k < o.K; k++) sum += Term(WeightPlane.Nibble(codes, k), q[k] - 128);
                ((int*)o.Output)[m * o.OutputStride + n] = sum;
            }
    }

    /// <summary>s * (x &lt;&lt; p) for a P4 code: bits 0..2 hold p + 1, or 0 for no term; bit 3 the sign s.</summary>
    internal static int Term(int code, int x)
    {
        if (code == 0) return 0;
        var shifted = x << ((code & 7) - 1);
        return (code & 8) == 0 ? shifted : -shifted;
    }
}

/// <summary>Two terms a weight: two shifts and one add.</summary>
sealed unsafe class MatShift_U8P4P4I32_1x1_Reference() : IntegerKernel(
    new(Operation.MatShift, NumberType.U8, NumberType.P4P4, NumberType.I32, 1, 1, KernelIsa.Reference),
    "real shifts and adds, two terms a weight", new(WeightFormat.P4P4, nr: 1, kGroup: 1))
{
    public override void Run(in IntegerOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var codes = o.Weights + n * Packing.PanelBytes(o.K);
                var q = o.Activations + m * o.ActivationStride;
                var sum = 0;
                for (var k = 0; k < o.K; k++)
                    sum += MatShift_U8P4I32_1x1_Reference.Term(codes[k] & 15, q[k] - 128)
                        + MatShift_U8P4I32_1x1_Reference.Term(codes[k] >> 4, q[k] - 128);
                ((int*)o.Output)[m * o.OutputStride + n] = sum;
            }
    }
}

/// <summary>One term a weight, of DeepShift's range: a shift by up to 14 and an add (or subtract) each, in int64.</summary>
sealed unsafe class MatShift_U8P5I64_1x1_Reference() : IntegerKernel(
    new(Operation.MatShift, NumberType.U8, NumberType.P5, NumberType.I64, 1, 1, KernelIsa.Reference),
    "real shifts and adds in int64", new(WeightFormat.P5, nr: 1, kGroup: 1))
{
    public override void Run(in IntegerOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var codes = o.Weights + n * Packing.PanelBytes(o.K);
                var q = o.Activations + m * o.ActivationStride;
                var sum = 0L;
                for (var k = 0; k < o.K; k++) sum += Term(codes[k], q[k] - 128);
                ((long*)o.Output)[m * o.OutputStride + n] = sum;
            }
    }

    /// <summary>s * (x &lt;&lt; (p + 14)) for a P5 code: bits 0..3 hold p + 15, or 0 for no term; bit 4 the sign s.</summary>
    static long Term(int code, long x)
    {
        if (code == 0) return 0;
        var shifted = x << ((code & 15) - 1);
        return (code & 16) == 0 ? shifted : -shifted;
    }
}

/// <summary>Ordinary int8.</summary>
sealed unsafe class MatMul_U8S8I32_1x1_Reference() : IntegerKernel(
    new(Operation.MatMul, NumberType.U8, NumberType.S8, NumberType.I32, 1, 1, KernelIsa.Reference),
    "scalar products", new(WeightFormat.S8, nr: 1, kGroup: 1))
{
    public override void Run(in IntegerOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var weights = (sbyte*)o.Weights + n * Packing.PanelBytes(o.K);
                var q = o.Activations + m * o.ActivationStride;
                var sum = 0;
                for (var k = 0; k < o.K; k++) sum += weights[k] * (q[k] - 128);
                ((int*)o.Output)[m * o.OutputStride + n] = sum;
            }
    }
}

/// <summary>Float32, in the order that every kernel keeps.</summary>
sealed unsafe class MatMul_F32F32F32_1x1_Reference() : FloatKernel(
    new(Operation.MatMul, NumberType.F32, NumberType.F32, NumberType.F32, 1, 1, KernelIsa.Reference),
    "scalar fused multiply-adds, inputs ascending", new(WeightFormat.F32, nr: 1, kGroup: 1))
{
    public override void Run(in FloatOperands o)
    {
        for (var m = 0; m < o.M; m++)
            for (var n = 0; n < o.N; n++)
            {
                var weights = o.Weights + (nint)n * o.K;
                var a = o.Activations + m * o.ActivationStride;
                var sum = 0f;
                for (var k = 0; k < o.K; k++) sum = float.MultiplyAddEstimate(a[k], weights[k], sum);
                o.Output[m * o.OutputStride + n] = sum;
            }
    }
}
