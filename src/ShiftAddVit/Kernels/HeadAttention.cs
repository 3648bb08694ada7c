using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Attention of a head on bytes: out[i] = SUM_j p_ij v_j / SUM_j p_ij, p_ij = table[(max_j z_ij - z_ij) * 40 / sqrt D],
/// z_ij = sq_i sk_j (q_i . k_j). After <see cref="PackValues"/>, for each block of queries <see cref="Score"/>, <see cref="Softmax"/> and
/// <see cref="Combine"/>. Immutable.
/// </summary>
/// <param name="registry">The operations between the products.</param>
/// <param name="scores">The kernel of q . k, which says the order of the keys.</param>
/// <param name="values">The kernel of p v.</param>
/// <param name="tokens">N.</param>
/// <param name="headSize">D.</param>
/// <param name="queries">The most queries of a block.</param>
sealed unsafe class HeadAttention(KernelRegistry registry, IntegerKernel scores, IntegerKernel values, int tokens, int headSize, int queries)
{
    /// <summary>Probabilities beyond N are 0.</summary>
    readonly int _paddedTokens = AttentionOps.Padded(tokens);

    /// <summary>N rounded up as values are packed.</summary>
    readonly int _valueRows = ValuePacking.Inputs(tokens);

    /// <summary>N rounded up to whole cache lines, so that no vector of a row lies on two.</summary>
    public int ScoreStride { get; } = (int)AlignedBuffer.Align((long)tokens * sizeof(int)) / sizeof(int);

    /// <summary>The most queries of a block.</summary>
    public int Queries => queries;

    /// <summary>Where scores, probabilities and their factors lie in a scratch, for a softmax of another kind.</summary>
    public Layout Buffers(byte* scratch) => new(this, scratch);

    /// <summary>Bytes of scratch, a multiple of the alignment.</summary>
    public long ScratchBytes => ValueBytes + 3 * ChannelBytes + ScoreBytes + ProbabilityBytes + FactorBytes + AlignedBuffer.Align(Math.Max(
        scores.ScratchBytes(headSize), Math.Max(values.ScratchBytes(_valueRows), values.ScratchBytes(queries, headSize, _valueRows))));

    long ValueBytes => AlignedBuffer.Align(values.Packing.ByteLength(headSize, _valueRows));

    long ChannelBytes => AlignedBuffer.Align((long)headSize * sizeof(float));

    long ScoreBytes => AlignedBuffer.Align((long)queries * ScoreStride * sizeof(int));

    long ProbabilityBytes => AlignedBuffer.Align((long)queries * _paddedTokens);

    long FactorBytes => AlignedBuffer.Align((long)queries * sizeof(float));

    /// <summary>Probabilities are bytes whose 0 is 0 and not 128: what a kernel makes of a row of zeros is taken off again.</summary>
    public void PackValues(in HeadAttentionOperands o)
    {
        var it = new Layout(this, o.Scratch);
        registry.Values.Pack(new()
        {
            Tokens = tokens, HeadSize = headSize, Values = o.Values, Stride = o.ValueStride,
            Order = values.Packing, Packed = it.Values, Scales = it.ValueScales,
        });
        new Span<float>(it.Bias, headSize).Clear();
        if (values.Packing.AccumulatorStarts) return;
        new Span<byte>(it.Probabilities, _paddedTokens).Clear();
        values.Run(new IntegerOperands
        {
            M = 1, N = headSize, K = _valueRows, Activations = it.Probabilities, ActivationStride = _paddedTokens, Weights = it.Values,
            Output = it.Offsets, OutputStride = headSize, Scratch = it.Rest,
        });
    }

    /// <summary>q_i . k_j of a block of queries.</summary>
    public void Score(in HeadAttentionOperands o, int first, int count)
    {
        var it = new Layout(this, o.Scratch);
        scores.Run(new IntegerOperands
        {
            M = count, N = tokens, K = headSize, Activations = o.Queries + first * o.QueryStride, ActivationStride = o.QueryStride,
            Weights = o.Keys, Output = it.Scores, OutputStride = ScoreStride, Scratch = it.Rest,
        });
    }

    /// <summary>p_ij of the block.</summary>
    public void Softmax(in HeadAttentionOperands o, int first, int count)
    {
        var it = new Layout(this, o.Scratch);
        var steps = ExponentialTable.StepsPerUnit / MathF.Sqrt(headSize);
        for (var i = 0; i < count; i++) it.Factors[i] = o.QueryScales[first + i] * steps;
        registry.Attention.Softmax(new()
        {
            Rows = count, Keys = tokens, Scores = it.Scores, ScoreStride = ScoreStride, KeyScales = o.KeyScales, Factors = it.Factors,
            Probabilities = it.Probabilities,
        });
    }

    /// <summary>The outputs of the block.</summary>
    public void Combine(in HeadAttentionOperands o, int first, int count)
    {
        var it = new Layout(this, o.Scratch);
        values.Run(new LinearOperands
        {
            M = count, N = headSize, K = _valueRows, Activations = it.Probabilities, ActivationStride = _paddedTokens, RowScales = it.Factors,
            Weights = it.Values, ColumnScales = it.ValueScales, Bias = it.Bias, Offsets = values.Packing.AccumulatorStarts ? null : it.Offsets,
            Output = o.Output + first * o.OutputStride, OutputStride = o.OutputStride, Epilogue = Epilogue.Store, Scratch = it.Rest,
        }, registry.Rows);
    }

    /// <summary>Where things lie in the scratch.</summary>
    public readonly struct Layout
    {
        public readonly byte* Values, Probabilities, Rest;
        public readonly float* ValueScales, Bias, Factors;
        public readonly int* Offsets, Scores;

        public Layout(HeadAttention it, byte* scratch)
        {
            Values = scratch;
            ValueScales = (float*)(Values + it.ValueBytes);
            Bias = (float*)((byte*)ValueScales + it.ChannelBytes);
            Offsets = (int*)((byte*)Bias + it.ChannelBytes);
            Scores = (int*)((byte*)Offsets + it.ChannelBytes);
            Probabilities = (byte*)Scores + it.ScoreBytes;
            Factors = (float*)(Probabilities + it.ProbabilityBytes);
            Rest = (byte*)Factors + it.FactorBytes;
        }
    }
}

/// <summary>One head of one image. Strides are in elements. What a step does not read may be missing.</summary>
unsafe struct HeadAttentionOperands
{
    /// <summary>q [N,D].</summary>
    public byte* Queries;
    public nint QueryStride;

    /// <summary>sq [N].</summary>
    public float* QueryScales;

    /// <summary>k [N,D] in the order of the kernel of scores.</summary>
    public byte* Keys;

    /// <summary>sk [N].</summary>
    public float* KeyScales;

    /// <summary>v [N,D].</summary>
    public float* Values;
    public nint ValueStride;

    /// <summary>out [N,D].</summary>
    public float* Output;
    public nint OutputStride;

    /// <summary><see cref="HeadAttention.ScratchBytes"/> bytes, aligned; what a step left there the next reads.</summary>
    public byte* Scratch;
}
