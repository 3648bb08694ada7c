using ShiftAddVit.Inference;

namespace ShiftAddVit.Reports;

/// <summary>This library as an engine of a benchmark: one <see cref="Session"/> and its batch.</summary>
public sealed class SessionEngine : IBenchmarkEngine
{
    readonly Session _session;
    readonly float[] _images;
    readonly float[] _logits;
    readonly int _batch;

    /// <summary>Makes a session for the batch.</summary>
    /// <param name="model">The model; it stays the caller's.</param>
    /// <param name="name">File name of the model.</param>
    /// <param name="images">[B,3,S,S], kept.</param>
    /// <param name="batch">B, images a call.</param>
    /// <param name="threads">Threads that a call uses.</param>
    public SessionEngine(CompiledModel model, string name, float[] images, int batch, int threads)
    {
        ArgumentNullException.ThrowIfNull(model);
        (Model, _images, _batch) = (name, images, batch);
        _logits = new float[batch * model.Architecture.Classes];
        _session = model.CreateSession(new() { MaxBatch = batch, Threads = threads });
    }

    /// <inheritdoc/>
    public string Name => "shiftadd";

    /// <inheritdoc/>
    public string Model { get; }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Logits => _logits;

    /// <inheritdoc/>
    public void Run() => _session.Run(_images, _batch, _logits);

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}
