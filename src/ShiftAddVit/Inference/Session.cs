using ShiftAddVit.Inference.Steps;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference;

/// <summary>
/// Runs a compiled model. Holds all memory that a run takes in one arena; a run allocates nothing. Not thread-safe: one session a
/// thread. The output for an image depends on nothing but the image, neither on its batch mates nor on the number of threads.
/// </summary>
public sealed unsafe class Session : IDisposable
{
    readonly StepContext _context;
    readonly Arena _arena = new();
    readonly ThreadTeam _team;
    readonly List<Step> _steps = [];
    readonly Region _tokens;
    readonly Region _logits;
    readonly Region _attended;
    volatile State _state;

    internal Session(CompiledModel model, SessionOptions options)
    {
        _context = new(model, options, _arena);
        var (a, rows) = (model.Architecture, (long)options.MaxBatch * model.Architecture.Tokens);
        _tokens = _arena.Plan<float>(rows * a.Width);
        _logits = _arena.Plan<float>((long)options.MaxBatch * a.Classes);
        _attended = _arena.Plan<float>(rows * a.Width);
        var attention = new AttentionSteps(_context, _tokens, _attended);

        _steps.Add(new EmbedStep(_context, _tokens));
        RowStage[] before = [];
        for (var i = 0; i < model.Blocks.Length; i++)
        {
            var block = model.Blocks[i];
            _steps.Add(new RowStep(_context, false, [.. before, attention.Qkv(block, Reads(i))]));
            _steps.AddRange(attention.Attend(block, Reads(i)));
            before = [new ProjectionStage(_context, block.Projection, _attended, _tokens), MlpOf(block, $"blocks.{i}")];
        }
        _steps.Add(new RowStep(_context, Reads(model.Blocks.Length - 1) != a.Tokens, before));
        _steps.Add(new HeadStep(_context, _tokens, _logits));
        _context.PlanScratch(_steps);
        try
        {
            _arena.Allocate();
            _team = new(options.Threads);
        }
        catch
        {
            _arena.Dispose();
            throw;
        }
    }

    enum State
    {
        Idle,
        Running,
        Disposed,
    }

    /// <summary>The most images that a call takes.</summary>
    public int MaxBatch => _context.Options.MaxBatch;

    /// <summary>Bytes of the arena: activations and scratch, without the weights.</summary>
    public long ArenaBytes => _arena.ByteLength;

    /// <summary>Classifies a batch of prepared images.</summary>
    /// <param name="images">[B,3,S,S], normalised as the model's pre-processing says; finite.</param>
    /// <param name="batch">B, 1..<see cref="MaxBatch"/>.</param>
    /// <param name="logits">[B, classes], written.</param>
    /// <exception cref="ArgumentException">A length does not fit, or an input is not finite.</exception>
    /// <exception cref="InvalidOperationException">The session is running already, on another thread or under an observer.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model was disposed.</exception>
    /// <exception cref="ShiftAddVitException">
    /// A logit is not finite: the weights are so large that float32 overflows. <paramref name="logits"/> stays as it was.
    /// </exception>
    public void Run(ReadOnlySpan<float> images, int batch, Span<float> logits)
    {
        var a = _context.Model.Architecture;
        Validate(images, batch, logits);
        Enter(State.Running);
        try
        {
            fixed (float* pointer = images)
            {
                _context.Batch = batch;
                _context.Images = pointer;
                foreach (var step in _steps) Run(step);
            }
            var output = new ReadOnlySpan<float>(_arena.Pointer<float>(_logits), batch * a.Classes);
            if (!Finite.All(output)) throw Overflowed();
            output.CopyTo(logits);
        }
        finally
        {
            _context.Images = null;
            _state = State.Idle;
        }
    }

    /// <summary>Classifies a batch of prepared images into a new array [B, classes].</summary>
    /// <inheritdoc cref="Run(ReadOnlySpan{float}, int, Span{float})"/>
    public float[] Run(ReadOnlySpan<float> images, int batch)
    {
        RequireBatch(batch);
        var logits = new float[batch * _context.Model.Architecture.Classes];
        Run(images, batch, logits);
        return logits;
    }

    /// <summary>Ends the threads and frees the memory. Further calls do nothing.</summary>
    /// <exception cref="InvalidOperationException">The session is running, on another thread or under an observer.</exception>
    public void Dispose()
    {
        if (_state == State.Disposed) return;
        Enter(State.Disposed);
        _team.Dispose();
        _arena.Dispose();
    }

    /// <summary>
    /// How many tokens of each image are asked for after a block. The heads read the prefix tokens only: of the others the last block needs
    /// keys and values, but an observer wants to see them.
    /// </summary>
    int Reads(int block)
    {
        var a = _context.Model.Architecture;
        return block == _context.Model.Blocks.Length - 1 && _context.Options.Observer is null ? a.PrefixTokens : a.Tokens;
    }

    RowStage MlpOf(CompiledBlock block, string name) => block.Mlp is [var fc1, var fc2]
        ? new MlpStage(_context, block.Norm2, fc1, fc2, name, _tokens)
        : new MlpMixtureStage(_context, block.Norm2, block.Mlp[0], name, _tokens);

    void Run(Step step)
    {
        _team.Run(step, step.Parts);
        if (_context.Options.Observer is { } observer) step.Show(observer);
    }

    void Enter(State next)
    {
        var found = Interlocked.CompareExchange(ref _state, next, State.Idle);
        ObjectDisposedException.ThrowIf(found == State.Disposed, this);
        if (found == State.Running) throw new InvalidOperationException("the session is running already");
    }

    ShiftAddVitException Overflowed() =>
        new($"{_context.Model.Source}: the model's output is not finite; its weights overflow float32");

    void RequireBatch(int batch)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(batch, MaxBatch);
    }

    void Validate(ReadOnlySpan<float> images, int batch, ReadOnlySpan<float> logits)
    {
        var a = _context.Model.Architecture;
        RequireBatch(batch);
        var length = (long)batch * VitArchitecture.Channels * a.ImageSize * a.ImageSize;
        if (images.Length != length) throw new ArgumentException($"{images.Length} floats where a batch of {batch} has {length}", nameof(images));
        if (logits.Length != batch * a.Classes)
            throw new ArgumentException($"{logits.Length} floats where the logits take {batch * a.Classes}", nameof(logits));
        if (!Finite.All(images)) throw new ArgumentException("an input is not finite", nameof(images));
    }
}
