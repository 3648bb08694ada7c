using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference.Steps;

/// <summary>out = epilogue(linear(norm(in))) for the first tokens of each image, row by row; the norm may be absent.</summary>
sealed unsafe class LinearStep : Step
{
    readonly CompiledLinear _linear;
    readonly CompiledNorm? _norm;
    readonly Epilogue _epilogue;
    readonly int _tokens;
    readonly Region _input;
    readonly Region _output;
    readonly Tap _tap;

    /// <param name="context">The session.</param>
    /// <param name="linear">The layer.</param>
    /// <param name="norm">Applied to the input first.</param>
    /// <param name="epilogue">What becomes of the output.</param>
    /// <param name="input">[B*N,K].</param>
    /// <param name="output">[B*N,N'].</param>
    /// <param name="tokens">How many tokens of each image: all, or the prefix tokens.</param>
    public LinearStep(
        StepContext context, CompiledLinear linear, CompiledNorm? norm, Epilogue epilogue, Region input, Region output, int tokens)
        : base(context)
    {
        (_linear, _norm, _epilogue, _input, _output, _tokens) = (linear, norm, epilogue, input, output, tokens);
        _tap = new(context, linear.Name, linear.Inputs, context.Options.MaxBatch * context.Model.Architecture.Tokens);
    }

    int Rows => Context.Batch * Context.Model.Architecture.Tokens;

    /// <summary>All tokens are cut without regard to images; a few of each image are a part of their own.</summary>
    bool AllTokens => _tokens == Context.Model.Architecture.Tokens;

    public override int Parts => AllTokens ? RowParts(Rows) : Context.Batch;

    public override long ScratchBytes => NormBytes + _linear.ScratchBytes(RowsPerPart);

    long NormBytes => _norm is null ? 0 : Align((long)RowsPerPart * _linear.Inputs * sizeof(float));

    public override void Execute(int part, int thread)
    {
        var first = part * (AllTokens ? RowsPerPart : Context.Model.Architecture.Tokens);
        var count = AllTokens ? Math.Min(RowsPerPart, Rows - first) : _tokens;
        var scratch = Context.Scratch(thread);
        var x = Normed(Context.Arena.Pointer<float>(_input) + (long)first * _linear.Inputs, count, (float*)scratch);
        _tap.Keep(x, first, count);
        var output = Context.Arena.Pointer<float>(_output) + (long)first * _linear.Outputs;
        _linear.Apply(x, count, output, _epilogue, scratch + NormBytes);
    }

    public override void Show(ActivationObserver observer) => _tap.Show(observer, Rows);

    float* Normed(float* x, int count, float* normed)
    {
        if (_norm is null) return x;
        var gamma = (float*)_norm.Gamma.Pointer;
        var beta = (float*)_norm.Beta.Pointer;
        for (var row = 0; row < count; row++)
        {
            var start = (long)row * _linear.Inputs;
            Context.Model.Registry.Rows.LayerNorm(x + start, gamma, beta, _norm.Epsilon, _linear.Inputs, normed + start);
        }
        return normed;
    }
}
