using ShiftAddVit.Kernels;

namespace ShiftAddVit.Inference;

/// <summary>A layer bound to this machine: one linear layer, or several of which each token takes one.</summary>
abstract unsafe class CompiledLayer(string name, int outputs, int inputs) : IDisposable
{
    public string Name { get; } = name;

    /// <summary>N.</summary>
    public int Outputs { get; } = outputs;

    /// <summary>K.</summary>
    public int Inputs { get; } = inputs;

    /// <summary>Whether the rows are quantised and nothing else is read of them.</summary>
    public abstract bool IsInteger { get; }

    /// <summary>Bytes of scratch that <see cref="Apply"/> needs for M rows, besides the normed rows.</summary>
    public abstract long ScratchBytes(int m);

    /// <summary>out[m,n] = epilogue(y[m,n]), y the layer of x; x is quantised row by row where a kernel takes integers.</summary>
    /// <param name="x">[M,K], rows of K.</param>
    /// <param name="m">M.</param>
    /// <param name="output">[M,N].</param>
    /// <param name="outputStride">Elements from one row of the output to the next.</param>
    /// <param name="epilogue">What becomes of y.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, aligned.</param>
    /// <param name="maxima">[M,16], the largest magnitudes of x if they are known.</param>
    public abstract void Apply(float* x, int m, float* output, nint outputStride, Epilogue epilogue, byte* scratch, float* maxima = null);

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
    public abstract void ApplyNormed(
        float* x, CompiledNorm norm, int m, float* output, nint outputStride, Epilogue epilogue, float* normed, byte* scratch, float* maxima = null);

    public abstract void Dispose();
}
