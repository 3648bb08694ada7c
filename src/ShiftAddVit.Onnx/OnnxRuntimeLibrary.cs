using Microsoft.ML.OnnxRuntime;

namespace ShiftAddVit.Onnx;

/// <summary>ONNX Runtime, set up as a baseline: at its best, silent, and idle between calls. Its failures become one line.</summary>
static class OnnxRuntimeLibrary
{
    /// <summary>Options of a session: one call at a time, on so many threads.</summary>
    /// <exception cref="ShiftAddVitException">There is no ONNX Runtime for this platform.</exception>
    public static SessionOptions Options(int threads)
    {
        Start();
        var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        // While a call runs its threads spin, which is fastest; after it they would go on and slow whatever is timed next.
        options.AddSessionConfigEntry("session.force_spinning_stop", "1");
        return options;
    }

    /// <summary>Loads a file.</summary>
    /// <exception cref="ShiftAddVitException">ONNX Runtime cannot read it.</exception>
    public static InferenceSession Open(string path, SessionOptions options)
    {
        try
        {
            return new(path, options);
        }
        catch (OnnxRuntimeException failure)
        {
            throw Failed(path, "is no model that ONNX Runtime can run", failure);
        }
    }

    /// <summary>One line about a failure inside ONNX Runtime.</summary>
    public static ShiftAddVitException Failed(string path, string what, OnnxRuntimeException failure) =>
        new($"{path}: {what}: {failure.Message.Split('\r', '\n')[0]}", failure);

    /// <summary>Loads the native library once. What it would log comes as an exception too.</summary>
    static void Start()
    {
        try
        {
            if (OrtEnv.IsCreated) return;
            var options = new EnvironmentCreationOptions { logId = "shiftadd", logLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            OrtEnv.CreateInstanceWithOptions(ref options).DisableTelemetryEvents();
        }
        catch (Exception failure) when (failure is TypeInitializationException or DllNotFoundException)
        {
            throw new ShiftAddVitException("ONNX Runtime: its native library is not there, or not for this platform", failure);
        }
    }
}
