using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// First half of linear attention: A = bk^T u of each head by masked adds, u the values, or what is weighted and centred of them (Taylor), as signed bytes
/// with one scale a channel. Channels have nothing to do with each other, so that a head can be cut.
/// </summary>
sealed unsafe class KeyValueStep : PerHeadStep
{
    /// <summary>Channels that a piece is not narrower than: a vector.</summary>
    const int LeastChannels = 16;

    readonly CompiledAttention _attention;
    readonly BinaryHeads _heads;
    readonly LinearHeads _linear;
    readonly AddTokensKernel _kernel;

    /// <param name="context">The session.</param>
    /// <param name="attention">The form and its parameters.</param>
    /// <param name="heads">Keys and values.</param>
    /// <param name="linear">Written.</param>
    public KeyValueStep(StepContext context, CompiledAttention attention, BinaryHeads heads, LinearHeads linear) : base(context) =>
        (_attention, _heads, _linear, _kernel) = (attention, heads, linear, context.Model.Registry.AddTokens);

    int Channels => Architecture.HeadSize;

    protected override int Pieces => Math.Min(PiecesOf(Architecture.Tokens, AttentionSplit.Static), Math.Max(Channels / LeastChannels, 1));

    public override long ScratchBytes => WeightBytes + TotalBytes + PackedBytes + Align(_kernel.ScratchBytes(Architecture.Tokens));

    long WeightBytes => Align((long)Architecture.Tokens * sizeof(float));

    long TotalBytes => Align((long)Channels * sizeof(int));

    long PackedBytes => Align(_kernel.Packing.ByteLength(Channels, ValuePacking.Inputs(Architecture.Tokens)));

    protected override void Execute(int image, int head, int piece, byte* scratch)
    {
        // Whole vectors, but for the last piece.
        var first = Channels * piece / Pieces & -LeastChannels;
        var end = piece == Pieces - 1 ? Channels : Channels * (piece + 1) / Pieces & -LeastChannels;
        var totals = (int*)(scratch + WeightBytes);
        var packed = (byte*)totals + TotalBytes;
        TimeBudget.Enter(Work.PackHeads);
        Pack(image, head, first, end - first, (float*)scratch, totals, packed);
        TimeBudget.Enter(Work.KeyValues);
        Add(image, head, first, end - first, totals, packed, packed + PackedBytes);
        if (first == 0 && _attention.Form.Kind == AttentionKind.EcoFormer) Count(image, head);
    }

    void Pack(int image, int head, int first, int channels, float* weights, int* totals, byte* packed)
    {
        var (n, c, ops) = (Architecture.Tokens, Architecture.Width, Context.Model.Registry.LinearAttention);
        var values = _heads.Values(image, head) + first;
        var scales = _linear.Scales(image, head) + first;
        var mean = _linear.Means(image, head) + first;
        var isTaylor = _attention.Form.Kind == AttentionKind.Taylor;
        if (isTaylor)
        {
            ops.Weigh(_heads.Biases(image, head), n, weights);
            ops.Mean(weights, values, c, n, channels, mean);
        }
        Context.Model.Registry.Values.Pack(new()
        {
            Tokens = n, HeadSize = channels, Values = values, Stride = c, Order = _kernel.Packing, Packed = packed, Scales = scales, Totals = totals,
            Weights = isTaylor ? weights : null, Mean = mean,
        });
        for (var d = 0; d < channels; d++) scales[d] *= ScaleFactor(head * Channels + first + d);
    }

    float ScaleFactor(int channel) => _attention.Form.Kind switch
    {
        AttentionKind.Taylor => _attention.Gain[channel],
        AttentionKind.Angular => 1 / MathF.PI,
        _ => 1,
    };

    void Add(int image, int head, int first, int channels, int* totals, byte* packed, byte* rest)
    {
        var form = _attention.Form;
        var sums = _linear.Sums(image, head) + first;
        _kernel.Run(new()
        {
            Tokens = Architecture.Tokens, Bits = form.CodeBits, HeadSize = channels, Codes = _heads.Keys(image, head), Values = packed,
            Output = sums, OutputStride = Channels, Scratch = rest,
        });
        var weight = form.Kind == AttentionKind.EcoFormer ? form.CodeBits + 1 : 0;
        LinearAttentionOps.Sign(sums, Channels, form.CodeBits, channels, totals, form.IsSigned, weight, _linear.Offsets(image, head) + first);
    }

    /// <summary>SUM_j bk_j, codes +1 and -1.</summary>
    void Count(int image, int head)
    {
        var keys = _heads.Keys(image, head);
        var counts = _linear.Counts(image, head);
        var n = Architecture.Tokens;
        new Span<int>(counts, _attention.Form.CodeBits).Fill(-n);
        for (var j = 0; j < n; j++)
            for (var code = keys[j]; code != 0; code &= code - 1) counts[System.Numerics.BitOperations.TrailingZeroCount(code)] += 2;
    }
}
