using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using ShiftAddVit.Kernels;
using ShiftAddVit.Reports;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Benchmarks;

/// <summary>The fp32 MatMul that is chosen here, on one thread.</summary>
sealed unsafe class OurMatMul : IBenchmarkEngine
{
    readonly FloatKernel _kernel = KernelRegistry.Default.Float;
    readonly MatrixShape _shape;
    readonly AlignedBuffer _x, _weights, _y, _scratch;

    /// <param name="shape">M, K and N.</param>
    /// <param name="x">[M,K].</param>
    /// <param name="weights">[N,K].</param>
    public OurMatMul(MatrixShape shape, float[] x, float[] weights)
    {
        (_shape, _x, _weights) = (shape, AlignedBuffer.Copy(x), _kernel.Packing.Pack(shape.N, shape.K, weights));
        (_y, _scratch) = (new((long)shape.M * shape.N * sizeof(float)), new(Math.Max(_kernel.ScratchBytes(shape.K), 1)));
    }

    public string Name => "shiftadd";

    public string Model => $"{_kernel.Name}";

    public ReadOnlySpan<float> Logits => _y.AsSpan<float>();

    public void Run() => _kernel.Run(new()
    {
        M = _shape.M, N = _shape.N, K = _shape.K, Activations = (float*)_x.Pointer, ActivationStride = _shape.K, Weights = (float*)_weights.Pointer,
        Output = (float*)_y.Pointer, OutputStride = _shape.N, Scratch = _scratch.Pointer,
    });

    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_x, _weights, _y, _scratch]) owned.Dispose();
    }
}

/// <summary>ONNX Runtime's MatMul with constant weights on one thread, on aligned memory as ours.</summary>
sealed unsafe class OnnxRuntimeMatMul : IBenchmarkEngine
{
    readonly AlignedBuffer _x, _y;
    readonly InferenceSession _session;
    readonly OrtIoBinding _binding;
    readonly OrtValue _input, _output;
    readonly RunOptions _run = new();

    /// <param name="shape">M, K and N.</param>
    /// <param name="x">[M,K].</param>
    /// <param name="weights">[K,N].</param>
    public OnnxRuntimeMatMul(MatrixShape shape, float[] x, float[] weights)
    {
        (_x, _y) = (AlignedBuffer.Copy(x), new((long)shape.M * shape.N * sizeof(float)));
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL, IntraOpNumThreads = 1, InterOpNumThreads = 1,
        };
        _session = new(OnnxMatMul.Create(shape.M, weights, shape.N), options);
        _binding = _session.CreateIoBinding();
        _binding.BindInput("x", _input = Value(_x, shape.M, shape.K));
        _binding.BindOutput("y", _output = Value(_y, shape.M, shape.N));
    }

    public string Name => "onnxruntime";

    public string Model => "MatMul";

    public ReadOnlySpan<float> Logits => _y.AsSpan<float>();

    public void Run() => _session.RunWithBinding(_run, _binding);

    public void Dispose()
    {
        foreach (var owned in (IDisposable[])[_run, _binding, _output, _input, _session, _x, _y]) owned.Dispose();
    }

    static OrtValue Value(AlignedBuffer buffer, params long[] extents) => OrtValue.CreateTensorValueWithData(
        OrtMemoryInfo.DefaultInstance, TensorElementType.Float, extents, (nint)buffer.Pointer, buffer.ByteLength);
}
