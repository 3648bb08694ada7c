using Microsoft.ML.OnnxRuntime;

namespace ShiftAddVit.Onnx;

/// <summary>ONNX Runtime, set up as a baseline: at its best, silent, and idle between calls. Its failures become one line.</summary>
static class OnnxRuntimeLibrary
{
    /// <summary>What it would log comes as an exception too.</summary>
    const OrtLoggingLevel Silent = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL;

    static readonly Lazy<OrtEnv> Native = new(LoadNative);

    /// <summary>Options of a session: one call at a time, on so many threads.</summary>
    /// <exception cref="ShiftAddVitException">There is no ONNX Runtime for this platform.</exception>
    public static SessionOptions Options(int threads)
    {
        _ = Native.Value;
        var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            LogSeverityLevel = Silent,
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

    /// <summary>The native library, loaded once.</summary>
    static OrtEnv LoadNative()
    {
        try
        {
            if (OrtEnv.IsCreated) return OrtEnv.Instance();
            var options = new EnvironmentCreationOptions { logId = "shiftadd", logLevel = Silent };
            var environment = OrtEnv.CreateInstanceWithOptions(ref options);
            environment.DisableTelemetryEvents();
            return environment;
        }
        catch (Exception failure) when (failure is TypeInitializationException or DllNotFoundException)
        {
            throw new ShiftAddVitException("ONNX Runtime: its native library is not there, or not for this platform", failure);
        }
    }
}
