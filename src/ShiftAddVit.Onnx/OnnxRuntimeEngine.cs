using Microsoft.ML.OnnxRuntime;
using ShiftAddVit.Reports;

namespace ShiftAddVit.Onnx;

/// <summary>
/// ONNX Runtime as an engine of a benchmark: input and output are bound once, so that a call copies and allocates nothing of its own.
/// </summary>
sealed class OnnxRuntimeEngine : IBenchmarkEngine
{
    readonly string _path;
    readonly float[] _logits;
    readonly Stack<IDisposable> _owned = new();
    readonly InferenceSession _session;
    readonly OrtIoBinding _binding;
    readonly RunOptions _run;

    /// <summary>Loads the file, and runs it once: what fails does so before anything is timed.</summary>
    public OnnxRuntimeEngine(
        string path, int threads, (string Name, float[] Values, long[] Shape) input, (string Name, float[] Values, long[] Shape) output)
    {
        (_path, _logits) = (path, output.Values);
        try
        {
            _session = Own(OnnxRuntimeLibrary.Open(path, Own(OnnxRuntimeLibrary.Options(threads))));
            _run = Own(new RunOptions());
            _binding = Own(_session.CreateIoBinding());
            _binding.BindInput(input.Name, Own(OrtValue.CreateTensorValueFromMemory(input.Values, input.Shape)));
            _binding.BindOutput(output.Name, Own(OrtValue.CreateTensorValueFromMemory(output.Values, output.Shape)));
            Run();
            if (!Array.TrueForAll(_logits, float.IsFinite)) throw new ShiftAddVitException($"{path}: its output is not finite");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Name => "onnxruntime";

    public string Model => Path.GetFileName(_path);

    public ReadOnlySpan<float> Logits => _logits;

    public void Run()
    {
        try
        {
            _session.RunWithBinding(_run, _binding);
        }
        catch (OnnxRuntimeException failure)
        {
            throw OnnxRuntimeLibrary.Failed(_path, "ONNX Runtime fails", failure);
        }
    }

    /// <summary>In the reverse order of their making.</summary>
    public void Dispose()
    {
        while (_owned.TryPop(out var owned)) owned.Dispose();
    }

    T Own<T>(T owned) where T : IDisposable
    {
        _owned.Push(owned);
        return owned;
    }
}
