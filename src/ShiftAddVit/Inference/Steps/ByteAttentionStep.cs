using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// out[i,h] = SUM_j p_ij v_j / SUM_j p_ij for each head h and the first tokens i of each image, both products on bytes:
/// p_ij = table[(max_j z_ij - z_ij) * 40 / sqrt D], z_ij = sq_i sk_j (q_i . k_j).
/// </summary>
sealed unsafe class ByteAttentionStep : Step
{
    /// <summary>Queries at a time: their scores stay in the first-level cache.</summary>
    const int QueriesPerBlock = 99;

    readonly ByteHeads _heads;
    readonly Region _output;
    readonly AttentionOps _ops;
    readonly int _queries;

    /// <param name="context">The session.</param>
    /// <param name="heads">Queries, keys, values.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    public ByteAttentionStep(StepContext context, ByteHeads heads, Region output, int queries) : base(context)
    {
        (_heads, _output, _queries) = (heads, output, queries);
        _ops = context.Model.Registry.Attention;
    }

    IntegerKernel Kernel => _heads.Kernel;

    VitArchitecture Architecture => Context.Model.Architecture;

    int Pieces => PiecesOfHead(_queries);

    public override int Parts => Context.Batch * Architecture.Heads * Pieces;

    /// <summary>Probabilities beyond N are 0.</summary>
    int PaddedTokens => AttentionOps.Padded(Architecture.Tokens);

    /// <summary>N rounded up to whole groups of inputs; the values beyond N are 0.</summary>
    int ValueRows => (Architecture.Tokens + 3) & -4;

    long ValueBytes => Align(Kernel.Packing.ByteLength(Architecture.HeadSize, ValueRows));

    long QuantisedValueBytes => Align((long)ValueRows * Architecture.HeadSize);

    long ChannelBytes => Align((long)Architecture.HeadSize * sizeof(float));

    /// <summary>N rounded up to whole cache lines, so that no vector of a row lies on two.</summary>
    int ScoreStride => (int)Align((long)Architecture.Tokens * sizeof(int)) / sizeof(int);

    long ScoreBytes => Align((long)QueriesPerBlock * ScoreStride * sizeof(int));

    long ProbabilityBytes => Align((long)QueriesPerBlock * PaddedTokens);

    long SumBytes => Align((long)QueriesPerBlock * Architecture.HeadSize * sizeof(int));

    public override long ScratchBytes => ValueBytes + QuantisedValueBytes + 3 * ChannelBytes + ScoreBytes + ProbabilityBytes + SumBytes
        + Align(Math.Max(Kernel.ScratchBytes(Architecture.HeadSize), Kernel.ScratchBytes(ValueRows)));

    public override void Execute(int part, int thread)
    {
        var (group, piece) = Math.DivRem(part, Pieces);
        var (image, head) = Math.DivRem(group, Architecture.Heads);
        var scratch = Context.Scratch(thread);
        var operands = new Operands(this, image, head, scratch);
        TimeBudget.Enter(Work.PackHeads);
        PackValues(operands);
        var end = (int)((long)_queries * (piece + 1) / Pieces);
        for (var row = (int)((long)_queries * piece / Pieces); row < end; row += QueriesPerBlock)
            Attend(operands, row, Math.Min(QueriesPerBlock, end - row));
    }

    void PackValues(in Operands o)
    {
        var (n, d, c) = (Architecture.Tokens, Architecture.HeadSize, Architecture.Width);
        _ops.QuantizeValues(_heads.Values(o.Image, o.Head), c, n, d, o.QuantisedValues, o.ValueScales, o.Reciprocals);
        new Span<byte>(o.QuantisedValues + n * d, (ValueRows - n) * d).Fill(128);
        Kernel.Packing.PackColumns(d, ValueRows, o.QuantisedValues, d, o.Values, o.Offsets);
    }

    void Attend(in Operands o, int first, int count)
    {
        var (n, d, c) = (Architecture.Tokens, Architecture.HeadSize, Architecture.Width);
        TimeBudget.Enter(Work.Scores);
        Kernel.Run(new IntegerOperands
        {
            M = count, N = n, K = d, Activations = _heads.Queries(o.Image, o.Head) + (long)first * c, ActivationStride = c,
            Weights = _heads.Keys(o.Image, o.Head), Output = o.Scores, OutputStride = ScoreStride, Scratch = o.Rest,
        });
        TimeBudget.Enter(Work.Softmax);
        var queryScales = _heads.QueryScales(o.Image, o.Head) + first;
        var keyScales = _heads.KeyScales(o.Image, o.Head);
        var steps = ExponentialTable.StepsPerUnit / MathF.Sqrt(d);
        var factors = stackalloc float[QueriesPerBlock];
        for (var i = 0; i < count; i++) factors[i] = queryScales[i] * steps;
        _ops.Softmax(new()
        {
            Rows = count, Keys = n, Scores = o.Scores, ScoreStride = ScoreStride, KeyScales = keyScales, Factors = factors, Probabilities = o.Probabilities,
        });
        TimeBudget.Enter(Work.Values);
        Kernel.Run(new IntegerOperands
        {
            M = count, N = d, K = ValueRows, Activations = o.Probabilities, ActivationStride = PaddedTokens,
            Weights = o.Values, Output = o.Sums, OutputStride = d, Scratch = o.Rest,
        });
        var output = Context.Arena.Pointer<float>(_output) + ((long)o.Image * n + first) * c + o.Head * d;
        _ops.Combine(new()
        {
            Rows = count, HeadSize = d, Sums = o.Sums, Offsets = o.Offsets, Factors = factors, ValueScales = o.ValueScales,
            Output = output, OutputStride = c,
        });
    }

    /// <summary>One head of one image, and where its parts lie in the scratch.</summary>
    readonly struct Operands
    {
        public readonly int Image, Head;
        public readonly byte* Values, QuantisedValues, Probabilities, Rest;
        public readonly float* ValueScales, Reciprocals;
        public readonly int* Offsets, Scores, Sums;

        public Operands(ByteAttentionStep step, int image, int head, byte* scratch)
        {
            (Image, Head) = (image, head);
            Values = scratch;
            QuantisedValues = Values + step.ValueBytes;
            ValueScales = (float*)(QuantisedValues + step.QuantisedValueBytes);
            Reciprocals = (float*)((byte*)ValueScales + step.ChannelBytes);
            Offsets = (int*)((byte*)Reciprocals + step.ChannelBytes);
            Scores = (int*)((byte*)Offsets + step.ChannelBytes);
            Probabilities = (byte*)Scores + step.ScoreBytes;
            Sums = (int*)(Probabilities + step.ProbabilityBytes);
            Rest = (byte*)Sums + step.SumBytes;
        }
    }
}
