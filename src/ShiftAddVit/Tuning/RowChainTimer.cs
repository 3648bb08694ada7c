using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Times a row chain over the rows of its images for several sizes of its blocks, on as many threads as it will run on: projection added to
/// the tokens, norm, fc1, gelu, fc2 added to the tokens, norm, qkv, each block from its first row to its last result on one thread.
/// </summary>
sealed unsafe class RowChainTimer : ICandidateTimer, IParallelWork
{
    const float Epsilon = 1e-6f;

    readonly RowChain _chain;
    readonly RowBlockOps _rows;
    readonly ThreadTeam _team;
    readonly SyntheticLinear _projection, _fc1, _fc2, _qkv;

    /// <summary>[rows, C] twice: what attention made, and the tokens.</summary>
    readonly AlignedBuffer _attended, _tokens;

    /// <summary>gamma and beta, [C] each.</summary>
    readonly AlignedBuffer _norm;

    /// <summary>For each thread: normed rows, a layer's output, quantised rows, their scales, a kernel's scratch.</summary>
    readonly AlignedBuffer _scratch;
    readonly long _scratchBytes;
    readonly int _maxRows;
    readonly Sampler[] _samplers;
    int _block;

    public RowChainTimer(KernelRegistry registry, TunedChoices tuned, RowChain chain, ImmutableArray<int> blocks)
    {
        (_chain, _rows, _maxRows) = (chain, registry.Blocks, Math.Min(blocks.Max(), chain.Rows));
        _projection = Linear(chain.Width, chain.Width, LinearOutput.Residual);
        _fc1 = Linear(chain.Width, chain.MlpWidth, LinearOutput.Gelu);
        _fc2 = Linear(chain.MlpWidth, chain.Width, LinearOutput.Residual);
        _qkv = Linear(chain.Width, 3 * chain.Width, LinearOutput.Heads, chain.HeadSize);
        _attended = SyntheticLinear.RandomFloats(chain.Rows * chain.Width);
        _tokens = SyntheticLinear.RandomFloats(chain.Rows * chain.Width);
        _norm = SyntheticLinear.RandomFloats(2 * chain.Width);
        _scratchBytes = NormedBytes + OutputBytes + QuantizedBytes + ScaleBytes + Linears.Max(linear => linear.ScratchBytes);
        _scratch = new(_scratchBytes * chain.Threads);
        _team = new(chain.Threads);
        _samplers = [.. blocks.Select(block => new Sampler(() => Run(block)))];

        SyntheticLinear Linear(int k, int n, LinearOutput output, int headSize = 0)
        {
            var shape = new LinearShape(chain.Weights, RowChain.KernelRows, k, n, output, headSize);
            return new(shape with { M = _maxRows }, tuned.Kernel(registry, shape), registry.Rows, registry.Attention);
        }
    }

    SyntheticLinear[] Linears => [_projection, _fc1, _fc2, _qkv];

    int Widest => Math.Max(3 * _chain.Width, _chain.MlpWidth);

    long NormedBytes => AlignedBuffer.Align((long)_maxRows * _chain.Width * sizeof(float));

    long OutputBytes => AlignedBuffer.Align((long)_maxRows * Widest * sizeof(float));

    long QuantizedBytes => AlignedBuffer.Align((long)_maxRows * Widest);

    long ScaleBytes => AlignedBuffer.Align((long)_maxRows * sizeof(float));

    public double Sample(int candidate) => _samplers[candidate].Sample();

    public void Execute(int part, int thread)
    {
        var (first, c) = (part * _block, _chain.Width);
        var count = Math.Min(_block, _chain.Rows - first);
        var scratch = _scratch.Pointer + thread * _scratchBytes;
        var output = (float*)(scratch + NormedBytes);
        var tokens = (float*)_tokens.Pointer + (long)first * c;
        Apply(_projection, (float*)_attended.Pointer + (long)first * c, c, count, tokens, scratch);
        ApplyNormed(_fc1, tokens, count, output, scratch);
        Apply(_fc2, output, _chain.MlpWidth, count, tokens, scratch, measured: true);
        // Queries, keys and values go to their image.
        for (int row = first, end = first + count, rows; row < end; row += rows)
        {
            rows = Math.Min(end - row, _chain.Tokens - row % _chain.Tokens);
            ApplyNormed(_qkv, tokens + (nint)(row - first) * c, rows, output, scratch);
        }
    }

    public void Dispose()
    {
        _team.Dispose();
        foreach (var linear in Linears) linear.Dispose();
        foreach (var buffer in (AlignedBuffer[])[_attended, _tokens, _norm, _scratch]) buffer.Dispose();
    }

    void Run(int block)
    {
        _block = block;
        _team.Run(this, (_chain.Rows + block - 1) / block);
    }

    /// <summary>Where the layer before measured the rows, its results still begin the kernel's scratch.</summary>
    void Apply(SyntheticLinear linear, float* x, int k, int m, float* output, byte* scratch, bool measured = false)
    {
        var q = scratch + NormedBytes + OutputBytes;
        var scales = (float*)(q + QuantizedBytes);
        var rest = (byte*)scales + ScaleBytes;
        _rows.Quantize(x, m, k, q, scales, measured ? (float*)rest : null);
        linear.Run(q, scales, m, output, rest);
    }

    void ApplyNormed(SyntheticLinear linear, float* x, int m, float* output, byte* scratch)
    {
        var q = scratch + NormedBytes + OutputBytes;
        var scales = (float*)(q + QuantizedBytes);
        var gamma = (float*)_norm.Pointer;
        var norm = new NormOperands { Length = _chain.Width, Gamma = gamma, Beta = gamma + _chain.Width, Epsilon = Epsilon };
        _rows.LayerNormQuantize(x, m, norm, (float*)scratch, q, scales);
        linear.Run(q, scales, m, output, (byte*)scales + ScaleBytes);
    }
}
