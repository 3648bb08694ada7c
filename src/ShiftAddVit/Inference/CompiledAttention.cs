using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference;

/// <summary>What a form of attention has besides its layers, in native memory and the order that it is read in; what it has none of is null.</summary>
sealed unsafe class CompiledAttention : IDisposable
{
    readonly AlignedBuffer? _temperature, _gain, _skip, _filters;
    readonly CompiledHash? _hash;

    /// <param name="form">The attention.</param>
    /// <param name="parameters">What it has.</param>
    /// <param name="keyBias">Its key bias, bound to a kernel; disposed of by the caller.</param>
    public CompiledAttention(AttentionForm form, AttentionParameters parameters, CompiledLinear? keyBias)
    {
        (Form, KeyBias) = (form, keyBias);
        (_temperature, _gain, _skip) = (Copy(parameters.Temperature), Copy(parameters.Gain), Copy(parameters.Skip));
        // A filter a channel is read channel by channel, a filter a head tap by tap.
        _filters = parameters.Convolution is not { } filters ? null
            : AlignedBuffer.Copy(form.Kind == AttentionKind.Taylor ? Transposed(filters.Values, filters.Shape[0], filters.Shape[1], filters.Shape[0]) : filters.Values);
        if (parameters.Hash is { } hash) _hash = new(hash);
    }

    public AttentionForm Form { get; }

    /// <summary>C to H.</summary>
    public CompiledLinear? KeyBias { get; }

    /// <summary>tau [H].</summary>
    public float* Temperature => Pointer(_temperature);

    /// <summary>g [C].</summary>
    public float* Gain => Pointer(_gain);

    /// <summary>a [C].</summary>
    public float* Skip => Pointer(_skip);

    /// <summary>[9,C] on the grid, [H,9] along the tokens.</summary>
    public float* Filters => Pointer(_filters);

    /// <summary>Hashes one head of some rows.</summary>
    /// <param name="ops">How.</param>
    /// <param name="head">The head.</param>
    /// <param name="x">[rows,D].</param>
    /// <param name="stride">Elements from one row to the next.</param>
    /// <param name="rows">How many.</param>
    /// <param name="codes">[rows].</param>
    public void Hash(HashOps ops, int head, float* x, nint stride, int rows, ulong* codes) => ops.Run(_hash!.Operands(head, x, stride, rows, codes));

    public void Dispose()
    {
        foreach (var buffer in (ReadOnlySpan<AlignedBuffer?>)[_temperature, _gain, _skip, _filters]) buffer?.Dispose();
        _hash?.Dispose();
    }

    /// <summary>[columns, rows rounded up] of [rows, columns]; what is missing is 0.</summary>
    internal static float[] Transposed(ReadOnlySpan<float> values, int rows, int columns, int paddedRows)
    {
        var transposed = new float[columns * paddedRows];
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++) transposed[column * paddedRows + row] = values[row * columns + column];
        return transposed;
    }

    static AlignedBuffer? Copy(Tensor? tensor) => tensor is null ? null : AlignedBuffer.Copy(tensor.Values);

    static float* Pointer(AlignedBuffer? buffer) => buffer is null ? null : (float*)buffer.Pointer;
}

/// <summary>The hashes of all heads.</summary>
sealed unsafe class CompiledHash : IDisposable
{
    readonly int _headSize, _anchors, _bits;
    readonly float[] _factors;
    readonly AlignedBuffer _anchorColumns, _mean, _projectionColumns;

    public CompiledHash(KernelHash hash)
    {
        var heads = hash.Anchors.Shape[0];
        (_anchors, _headSize, _bits) = (hash.Anchors.Shape[1], hash.Anchors.Shape[2], hash.Projection.Shape[1]);
        _factors = [.. hash.Spread.Values.ToArray().Select(spread => -0.5f / spread)];
        _anchorColumns = Columns(hash.Anchors, heads, _anchors, _headSize);
        _projectionColumns = Columns(hash.Projection, heads, _bits, _anchors);
        _mean = Columns(hash.Mean, heads, _anchors, 1);
    }

    int PaddedAnchors => HashOps.Padded(_anchors);

    int PaddedBits => HashOps.Padded(_bits);

    public HashOperands Operands(int head, float* x, nint stride, int rows, ulong* codes) => new()
    {
        Rows = rows, HeadSize = _headSize, Anchors = _anchors, Bits = _bits, X = x, XStride = stride, Codes = codes, Factor = _factors[head],
        AnchorColumns = (float*)_anchorColumns.Pointer + head * _headSize * PaddedAnchors,
        Mean = (float*)_mean.Pointer + head * PaddedAnchors,
        ProjectionColumns = (float*)_projectionColumns.Pointer + head * _anchors * PaddedBits,
    };

    public void Dispose()
    {
        _anchorColumns.Dispose();
        _mean.Dispose();
        _projectionColumns.Dispose();
    }

    /// <summary>[H, columns, padded rows] of [H, rows, columns].</summary>
    static AlignedBuffer Columns(Tensor tensor, int heads, int rows, int columns)
    {
        var values = tensor.Memory.ToArray();
        return AlignedBuffer.Copy(values.Chunk(rows * columns).SelectMany(head => CompiledAttention.Transposed(head, rows, columns, HashOps.Padded(rows))).ToArray());
    }
}
