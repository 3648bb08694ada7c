using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference;

/// <summary>A layer bound to this machine: one linear layer, or several of which each token takes one.</summary>
abstract unsafe class CompiledLayer(string name, int outputs, int inputs, KernelRegistry registry)
{
    public string Name { get; } = name;

    /// <summary>N.</summary>
    public int Outputs { get; } = outputs;

    /// <summary>K.</summary>
    public int Inputs { get; } = inputs;

    /// <summary>Whether the rows are quantised and nothing else is read of them.</summary>
    public abstract bool IsInteger { get; }

    /// <summary>Whether the rows are quantised.</summary>
    public virtual bool Quantizes => IsInteger;

    protected KernelRegistry Registry { get; } = registry;

    protected RowOps Rows => Registry.Rows;

    RowBlockOps Blocks => Registry.Blocks;

    /// <summary>What quantising rows that no norm made is called in a time budget.</summary>
    protected virtual Work Quantizing => Work.Quantize;

    /// <summary>Bytes of scratch that <see cref="Apply"/> needs for M rows, besides the normed rows.</summary>
    public long ScratchBytes(int m) => RowBytes(m) + ProductBytes(m);

    /// <summary>Bytes of scratch that <see cref="Multiply"/> needs for M rows.</summary>
    public abstract long ProductBytes(int m);

    /// <summary>Bytes of the quantised rows and their scales, which begin the scratch; what <see cref="Multiply"/> takes follows them.</summary>
    public long RowBytes(int m) => Quantizes ? Align((long)m * Inputs) + Align((long)m * sizeof(float)) : 0;

    /// <summary>The mixtures in it and where <see cref="Multiply"/> leaves in its scratch what each of them chose for M rows.</summary>
    public virtual IEnumerable<(Routing Routing, long Offset)> Routings(int m) => [];

    /// <summary>out[m,n] = epilogue(y[m,n]), y the layer of x; x is quantised row by row where a kernel takes integers.</summary>
    /// <param name="x">[M,K], rows of K.</param>
    /// <param name="m">M.</param>
    /// <param name="output">[M,N].</param>
    /// <param name="outputStride">Elements from one row of the output to the next.</param>
    /// <param name="epilogue">What becomes of y.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, aligned.</param>
    /// <param name="maxima">[M,16], the largest magnitudes of x if they are known.</param>
    /// <param name="targets">For rows that were taken from among others.</param>
    public void Apply(
        float* x, int m, float* output, nint outputStride, Epilogue epilogue, byte* scratch, float* maxima = null, RowTargets targets = default)
    {
        var rows = Prepared(x, m, scratch) with { Targets = targets };
        if (Quantizes)
        {
            TimeBudget.Enter(Quantizing);
            Blocks.Quantize(x, m, Inputs, rows.Quantised, rows.Scales, maxima);
        }
        Multiply(rows, output, outputStride, epilogue, scratch + RowBytes(m));
    }

    /// <summary>As <see cref="Apply"/>, of the normed rows.</summary>
    /// <param name="x">[M,K], rows of K.</param>
    /// <param name="norm">Applied to each row first.</param>
    /// <param name="m">M.</param>
    /// <param name="output">[M,N].</param>
    /// <param name="outputStride">Elements from one row of the output to the next.</param>
    /// <param name="epilogue">What becomes of y.</param>
    /// <param name="normed">[M,K], written: the normed rows.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, aligned.</param>
    /// <param name="maxima">[M,16], 0 before, or null: written where <see cref="IsInteger"/>, the largest magnitudes of the outputs.</param>
    public void ApplyNormed(
        float* x, CompiledNorm norm, int m, float* output, nint outputStride, Epilogue epilogue, float* normed, byte* scratch, float* maxima = null)
    {
        Normalize(x, norm, m, normed, scratch);
        Multiply(Prepared(normed, m, scratch), output, outputStride, epilogue, scratch + RowBytes(m), maxima);
    }

    /// <summary>
    /// The first half of <see cref="ApplyNormed"/>, which serves all parts of a layer: norms and, where it <see cref="Quantizes"/>, quantises.
    /// </summary>
    public void Normalize(float* x, CompiledNorm norm, int m, float* normed, byte* scratch)
    {
        TimeBudget.Enter(Work.Norm);
        var (gamma, beta) = ((nint)norm.Gamma.Pointer, (nint)norm.Beta.Pointer);
        var operands = new NormOperands { Length = Inputs, Gamma = (float*)gamma, Beta = (float*)beta, Epsilon = norm.Epsilon };
        var rows = Prepared(normed, m, scratch);
        if (Quantizes) Blocks.LayerNormQuantize(x, m, operands, normed, rows.Quantised, rows.Scales);
        else
            for (var row = 0; row < m; row++)
                Rows.LayerNorm(x + (long)row * Inputs, operands.Gamma, operands.Beta, norm.Epsilon, Inputs, normed + (long)row * Inputs);
    }

    /// <summary>The layer of rows that are ready.</summary>
    /// <param name="rows">Quantised where it <see cref="Quantizes"/>.</param>
    /// <param name="output">[M,N].</param>
    /// <param name="stride">Elements from one row of the output to the next.</param>
    /// <param name="epilogue">What becomes of y.</param>
    /// <param name="scratch"><see cref="ProductBytes"/> bytes, aligned.</param>
    /// <param name="maxima">As for <see cref="ApplyNormed"/>.</param>
    public abstract void Multiply(in LayerRows rows, float* output, nint stride, Epilogue epilogue, byte* scratch, float* maxima = null);

    /// <summary>Rows whose quantised form begins the scratch.</summary>
    protected LayerRows Prepared(float* x, int m, byte* scratch) => Quantizes
        ? new() { Count = m, Values = x, Quantised = scratch, Scales = (float*)(scratch + Align((long)m * Inputs)) }
        : new() { Count = m, Values = x };

    protected static long Align(long bytes) => AlignedBuffer.Align(bytes);
}
