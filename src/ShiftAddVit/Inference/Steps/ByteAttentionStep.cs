using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference.Steps;

/// <summary>
/// out[i,h] = SUM_j p_ij v_j / SUM_j p_ij for each head h and the first tokens i of each image, probabilities and values as bytes. What derives from it
/// says how probabilities come about.
/// </summary>
abstract unsafe class ByteAttentionStep : Step
{
    /// <summary>Queries at a time: their scores stay in the first-level cache.</summary>
    protected const int QueriesPerBlock = 99;

    readonly Region _output;
    readonly int _queries;

    /// <param name="context">The session.</param>
    /// <param name="output">[B*N,C], heads side by side.</param>
    /// <param name="queries">How many tokens of each image ask: all, or the prefix tokens.</param>
    protected ByteAttentionStep(StepContext context, Region output, int queries) : base(context) =>
        (_output, _queries, Kernel) = (output, queries, context.Model.Registry.Integer(WeightFormat.S8));

    /// <summary>The kernel of the product with values.</summary>
    protected IntegerKernel Kernel { get; }

    protected VitArchitecture Architecture => Context.Model.Architecture;

    int Pieces => PiecesOfHead(_queries);

    public override int Parts => Context.Batch * Architecture.Heads * Pieces;

    /// <summary>Probabilities beyond N are 0.</summary>
    int PaddedTokens => AttentionOps.Padded(Architecture.Tokens);

    /// <summary>N rounded up as values are packed.</summary>
    int ValueRows => ValuePacking.Inputs(Architecture.Tokens);

    long ValueBytes => Align(Kernel.Packing.ByteLength(Architecture.HeadSize, ValueRows));

    long ChannelBytes => Align((long)Architecture.HeadSize * sizeof(float));

    /// <summary>N rounded up to whole cache lines, so that no vector of a row lies on two.</summary>
    protected int ScoreStride => (int)Align((long)Architecture.Tokens * sizeof(int)) / sizeof(int);

    long ScoreBytes => Align((long)QueriesPerBlock * ScoreStride * sizeof(int));

    long ProbabilityBytes => Align((long)QueriesPerBlock * PaddedTokens);

    public override long ScratchBytes => ValueBytes + 3 * ChannelBytes + ScoreBytes + ProbabilityBytes + KeyBytes
        + Math.Max(Align(Kernel.ScratchBytes(Architecture.HeadSize)), Kernel.ScratchBytes(QueriesPerBlock, Architecture.HeadSize, ValueRows));

    /// <summary>Bytes of keys that <see cref="PackKeys"/> makes, a multiple of the alignment.</summary>
    protected virtual long KeyBytes => 0;

    /// <summary>Brings the keys of a head into order, where they are not.</summary>
    protected virtual void PackKeys(in Operands o) { }

    /// <summary>v [N,D], rows C apart.</summary>
    protected abstract float* Values(int image, int head);

    /// <summary>Makes probabilities of some queries, and factors[i] = 1 / SUM_j p_ij.</summary>
    protected abstract void Weigh(in Operands o, int first, int count, float* factors);

    public override void Execute(int part, int thread)
    {
        var (group, piece) = Math.DivRem(part, Pieces);
        var (image, head) = Math.DivRem(group, Architecture.Heads);
        var scratch = Context.Scratch(thread);
        var operands = new Operands(this, image, head, scratch);
        TimeBudget.Enter(Work.PackHeads);
        PackKeys(operands);
        PackValues(operands);
        var end = (int)((long)_queries * (piece + 1) / Pieces);
        for (var row = (int)((long)_queries * piece / Pieces); row < end; row += QueriesPerBlock)
            Attend(operands, row, Math.Min(QueriesPerBlock, end - row));
    }

    /// <summary>Probabilities are bytes whose 0 is 0 and not 128: what a kernel makes of a row of zeros is taken off again.</summary>
    void PackValues(in Operands o)
    {
        var d = Architecture.HeadSize;
        Context.Model.Registry.Values.Pack(new()
        {
            Tokens = Architecture.Tokens, HeadSize = d, Values = Values(o.Image, o.Head), Stride = Architecture.Width,
            Order = Kernel.Packing, Packed = o.Values, Scales = o.ValueScales,
        });
        new Span<float>(o.Bias, d).Clear();
        if (Kernel.Packing.AccumulatorStarts) return;
        new Span<byte>(o.Probabilities, PaddedTokens).Clear();
        Kernel.Run(new IntegerOperands
        {
            M = 1, N = d, K = ValueRows, Activations = o.Probabilities, ActivationStride = PaddedTokens, Weights = o.Values,
            Output = o.Offsets, OutputStride = d, Scratch = o.Rest,
        });
    }

    void Attend(in Operands o, int first, int count)
    {
        var (n, d, c) = (Architecture.Tokens, Architecture.HeadSize, Architecture.Width);
        var factors = stackalloc float[QueriesPerBlock];
        Weigh(o, first, count, factors);
        TimeBudget.Enter(Work.Values);
        Kernel.Run(new LinearOperands
        {
            M = count, N = d, K = ValueRows, Activations = o.Probabilities, ActivationStride = PaddedTokens, RowScales = factors,
            Weights = o.Values, ColumnScales = o.ValueScales, Bias = o.Bias, Offsets = Kernel.Packing.AccumulatorStarts ? null : o.Offsets,
            Output = Context.Arena.Pointer<float>(_output) + ((long)o.Image * n + first) * c + o.Head * d, OutputStride = c,
            Epilogue = Epilogue.Store, Scratch = o.Rest,
        }, Context.Model.Registry.Rows);
    }

    /// <summary>One head of one image, and where its parts lie in the scratch.</summary>
    protected readonly struct Operands
    {
        public readonly int Image, Head;
        public readonly byte* Values, Probabilities, Keys, Rest;
        public readonly float* ValueScales, Bias;
        public readonly int* Offsets, Scores;

        public Operands(ByteAttentionStep step, int image, int head, byte* scratch)
        {
            (Image, Head) = (image, head);
            Values = scratch;
            ValueScales = (float*)(Values + step.ValueBytes);
            Bias = (float*)((byte*)ValueScales + step.ChannelBytes);
            Offsets = (int*)((byte*)Bias + step.ChannelBytes);
            Scores = (int*)((byte*)Offsets + step.ChannelBytes);
            Probabilities = (byte*)Scores + step.ScoreBytes;
            Keys = Probabilities + step.ProbabilityBytes;
            Rest = Keys + step.KeyBytes;
        }
    }
}
