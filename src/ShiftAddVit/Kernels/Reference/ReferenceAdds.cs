using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Reference;

/// <summary>K^T V: each token is added where its code has a bit.</summary>
sealed unsafe class MatAdd_B1S8I32_1x1_Reference() : AddTokensKernel(
    new(Operation.MatAdd, NumberType.B1, NumberType.S8, NumberType.I32, 1, 1, KernelIsa.Reference),
    "scalar adds of the tokens whose bit is set", new(WeightFormat.S8, nr: 1, kGroup: 1))
{
    public override void Run(in AddTokensOperands o)
    {
        for (var i = 0; i < o.Bits; i++)
            for (var d = 0; d < o.HeadSize; d++)
            {
                var u = (sbyte*)o.Values + d * Packing.PanelBytes(ValuePacking.Inputs(o.Tokens));
                var sum = 0;
                for (var t = 0; t < o.Tokens; t++) if ((o.Codes[t] >> i & 1) != 0) sum += u[t];
                o.Output[i * o.OutputStride + d] = sum;
            }
    }
}

/// <summary>Q(KV): each row of A is added where the token's code has a bit.</summary>
sealed unsafe class MatAdd_B1I32I32_1x1_Reference() : AddCodesKernel(
    new(Operation.MatAdd, NumberType.B1, NumberType.I32, NumberType.I32, 1, 1, KernelIsa.Reference),
    "scalar adds of the rows whose bit is set")
{
    public override void Run(in AddCodesOperands o)
    {
        for (var t = 0; t < o.Tokens; t++)
            for (var d = 0; d < o.HeadSize; d++)
            {
                var sum = 0;
                for (var i = 0; i < o.Bits; i++) if ((o.Codes[t] >> i & 1) != 0) sum += o.Sums[i * o.SumStride + d];
                o.Output[t * o.OutputStride + d] = sum;
            }
    }
}
