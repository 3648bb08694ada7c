using System.Collections.Immutable;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference;

/// <summary>What a mixture chooses among.</summary>
/// <param name="Mixture">Its name.</param>
/// <param name="Experts">E.</param>
readonly record struct Routing(string Mixture, int Experts);

/// <summary>
/// Sends rows to experts: routes them, sorts them by expert, those of an expert in their order, and brings what the experts read of them one
/// beside the other. Its scratch begins with what it chose, in the order of the rows (<see cref="Routes"/>).
/// </summary>
sealed unsafe class CompiledRouter : IDisposable
{
    readonly RouterOps _ops;
    readonly AlignedBuffer _weights, _scales, _bias;
    readonly int _inputs;

    /// <summary>Whether each expert reads bytes; the others read floats.</summary>
    readonly ImmutableArray<bool> _readsBytes;

    readonly bool _bytes, _floats;

    /// <param name="mixture">The mixture's name.</param>
    /// <param name="router">[E,K].</param>
    /// <param name="firstLayers">The first layer of each expert.</param>
    /// <param name="registry">The operations to choose from.</param>
    public CompiledRouter(string mixture, Linear router, IEnumerable<CompiledLinear> firstLayers, KernelRegistry registry)
    {
        var weight = router.Weight as QuantizedWeight ?? NearestQuantizer.ByMagnitude(router.Weight.ToFloat32());
        (Routing, _ops, _inputs) = (new(mixture, router.Outputs), registry.Router, router.Inputs);
        _weights = new((long)router.Outputs * router.Inputs);
        for (var e = 0; e < router.Outputs; e++) weight.Plane.DecodeRow(e, part: 0, _weights.AsSpan<sbyte>().Slice(e * _inputs, _inputs));
        _scales = AlignedBuffer.Copy(weight.Scales.Values);
        _bias = router.Bias is { } bias ? AlignedBuffer.Copy(bias.Values) : new((long)router.Outputs * sizeof(float));
        _readsBytes = [.. firstLayers.Select(layer => layer.IsInteger)];
        (_bytes, _floats) = (_readsBytes.Contains(true), _readsBytes.Contains(false));
    }

    public Routing Routing { get; }

    /// <summary>Bytes of scratch for M rows, aligned.</summary>
    public long ScratchBytes(int m) =>
        (5 + Routing.Experts) * RowBytes(m) + (_bytes ? Align((long)m * _inputs) : 0) + (_floats ? Align((long)m * _inputs * sizeof(float)) : 0);

    /// <summary>Sends quantised rows to experts.</summary>
    public RoutedRows Route(in LayerRows rows, byte* scratch)
    {
        TimeBudget.Enter(Work.Router);
        var (m, routes) = (rows.Count, new Routes(scratch, rows.Count));
        var sorted = new Routes(scratch + 2 * RowBytes(m), m);
        var scales = (float*)(scratch + 4 * RowBytes(m));
        var logits = (float*)(scratch + 5 * RowBytes(m));
        _ops.Route(new()
        {
            M = m, K = _inputs, Experts = Routing.Experts, Activations = rows.Quantised, RowScales = rows.Scales,
            Weights = (sbyte*)_weights.Pointer, WeightScales = (float*)_scales.Pointer, Bias = (float*)_bias.Pointer,
            Logits = logits, Chosen = routes.Experts, Gates = routes.Gates,
        });
        TimeBudget.Enter(Work.Gather);
        var bytes = scratch + (5 + Routing.Experts) * RowBytes(m);
        var routed = new RoutedRows
        {
            Inputs = _inputs, Scales = scales, Order = sorted.Experts, Gates = sorted.Gates,
            Quantised = bytes, Values = (float*)(bytes + (_bytes ? Align((long)m * _inputs) : 0)),
        };
        routed.Sort(routes, m);
        Gather(rows, routed);
        return routed;
    }

    public void Dispose()
    {
        _weights.Dispose();
        _scales.Dispose();
        _bias.Dispose();
    }

    /// <summary>Of each row only what its expert reads.</summary>
    void Gather(in LayerRows rows, in RoutedRows routed)
    {
        for (var e = 0; e < _readsBytes.Length; e++)
        {
            var own = routed.Of(e);
            for (var i = 0; i < own.Count; i++)
            {
                nint row = own.Targets.Rows[i];
                own.Scales[i] = rows.Scales[row];
                if (_readsBytes[e]) Copy(rows.Quantised + row * _inputs, own.Quantised + (nint)i * _inputs, _inputs);
                else Copy((byte*)(rows.Values + row * _inputs), (byte*)(own.Values + (nint)i * _inputs), _inputs * sizeof(float));
            }
        }
    }

    static void Copy(byte* from, byte* to, int length) => new ReadOnlySpan<byte>(from, length).CopyTo(new(to, length));

    static long RowBytes(int m) => Align((long)m * sizeof(int));

    static long Align(long bytes) => AlignedBuffer.Align(bytes);

    /// <summary>Two arrays that begin a scratch: an expert, or a row, and a gate for each of M rows.</summary>
    public readonly struct Routes(byte* scratch, int m)
    {
        public int* Experts { get; } = (int*)scratch;

        public float* Gates { get; } = (float*)(scratch + RowBytes(m));
    }
}
