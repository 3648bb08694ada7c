using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>Times the attention of an image on bytes, cut in several ways, on as many threads as it will run on.</summary>
sealed unsafe class AttentionTimer : ICandidateTimer, IParallelWork
{
    readonly AttentionShape _shape;
    readonly ThreadTeam _team;

    /// <summary>q [N,C] and k [H][N,D] in their kernel's order, v and out [N,C]; sq and sk [H,N], the same for both.</summary>
    readonly AlignedBuffer _queries, _keys, _values, _output, _scales;

    readonly AlignedBuffer _scratch;
    readonly long _keyBytes, _scratchBytes;
    readonly Sampler[] _samplers;
    HeadAttention? _attention;
    int _pieces;

    public AttentionTimer(KernelRegistry registry, TunedChoices tuned, AttentionShape shape, ImmutableArray<AttentionSplit> splits)
    {
        _shape = shape;
        var scores = (IntegerKernel)tuned.Kernel(registry, ModelShapes.Scores(WeightFormat.S8, shape.Tokens, shape.HeadSize));
        var values = (IntegerKernel)tuned.Kernel(registry, ModelShapes.Values(WeightFormat.S8, shape.Tokens, shape.HeadSize));
        HeadAttention[] attentions =
            [.. splits.Select(split => new HeadAttention(registry, scores, values, shape.Tokens, shape.HeadSize, split.Queries))];
        // As bytes, floats are as random.
        _queries = SyntheticLinear.RandomFloats(shape.Tokens * Width);
        _values = SyntheticLinear.RandomFloats(shape.Tokens * Width);
        _scales = SyntheticLinear.RandomFloats(shape.Tokens * shape.Heads);
        foreach (ref var scale in _scales.AsSpan<float>()) scale = Math.Abs(scale);
        _output = new((long)shape.Tokens * Width * sizeof(float));
        _keyBytes = AlignedBuffer.Align(scores.Packing.ByteLength(shape.Tokens, shape.HeadSize));
        _keys = new(_keyBytes * shape.Heads);
        for (var head = 0; head < shape.Heads; head++)
            scores.Packing.PackRows(0, shape.Tokens, shape.HeadSize, _queries.Pointer + head * shape.HeadSize, Width, _keys.Pointer + head * _keyBytes);
        _scratchBytes = attentions.Max(attention => attention.ScratchBytes);
        _scratch = new(_scratchBytes * shape.Threads);
        _team = new(shape.Threads);
        _samplers = [.. splits.Zip(attentions, (split, attention) => new Sampler(() => Run(split, attention)))];
    }

    int Width => _shape.Heads * _shape.HeadSize;

    public double Sample(int candidate) => _samplers[candidate].Sample();

    public void Execute(int part, int thread)
    {
        var (head, piece) = Math.DivRem(part, _pieces);
        var operands = Operands(head, _scratch.Pointer + thread * _scratchBytes);
        _attention!.PackValues(operands);
        var end = _shape.Tokens * (piece + 1) / _pieces;
        for (var row = _shape.Tokens * piece / _pieces; row < end; row += _attention.Queries)
        {
            var count = Math.Min(_attention.Queries, end - row);
            _attention.Score(operands, row, count);
            _attention.Softmax(operands, row, count);
            _attention.Combine(operands, row, count);
        }
    }

    public void Dispose()
    {
        _team.Dispose();
        foreach (var buffer in (AlignedBuffer[])[_queries, _keys, _values, _output, _scales, _scratch]) buffer.Dispose();
    }

    void Run(AttentionSplit split, HeadAttention attention)
    {
        (_attention, _pieces) = (attention, split.Pieces(_shape.Heads, _shape.Threads, _shape.Tokens));
        _team.Run(this, _shape.Heads * _pieces);
    }

    HeadAttentionOperands Operands(int head, byte* scratch)
    {
        var scales = (float*)_scales.Pointer + (long)head * _shape.Tokens;
        return new()
        {
            Queries = _queries.Pointer + head * _shape.HeadSize, QueryStride = Width, QueryScales = scales,
            Keys = _keys.Pointer + head * _keyBytes, KeyScales = scales,
            Values = (float*)_values.Pointer + head * _shape.HeadSize, ValueStride = Width,
            Output = (float*)_output.Pointer + head * _shape.HeadSize, OutputStride = Width, Scratch = scratch,
        };
    }
}
