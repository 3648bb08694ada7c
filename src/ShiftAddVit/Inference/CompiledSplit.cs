using System.Collections.Immutable;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>Layers of the same rows, their outputs side by side.</summary>
sealed unsafe class CompiledSplit(string name, ImmutableArray<CompiledLayer> parts, KernelRegistry registry)
    : CompiledLayer(name, parts.Sum(part => part.Outputs), parts[0].Inputs, registry)
{
    /// <inheritdoc/>
    public override bool IsInteger { get; } = parts.All(part => part.IsInteger);

    /// <inheritdoc/>
    public override bool Quantizes { get; } = parts.Any(part => part.Quantizes);

    /// <summary>Each part keeps its scratch: what its router chose stays there.</summary>
    public override long ProductBytes(int m) => parts.Sum(part => Align(part.ProductBytes(m)));

    /// <inheritdoc/>
    public override IEnumerable<(Routing Routing, long Offset)> Routings(int m)
    {
        long offset = 0;
        foreach (var part in parts)
        {
            foreach (var (routing, within) in part.Routings(m)) yield return (routing, offset + within);
            offset += Align(part.ProductBytes(m));
        }
    }

    /// <inheritdoc/>
    public override void Multiply(in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima = null)
    {
        foreach (var part in parts)
        {
            part.Multiply(rows, output, stride, epilogue, scratch, maxima);
            output += part.Outputs;
            scratch += Align(part.ProductBytes(rows.Count));
        }
    }
}
