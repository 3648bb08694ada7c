using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using ShiftAddVit.Models;
using ShiftAddVit.Reports;

namespace ShiftAddVit.Onnx;

/// <summary>An ONNX file that takes the same images as a model, [B,3,S,S] float, and gives as many classes, [B, classes] float.</summary>
public sealed class OnnxModel
{
    readonly string _path;
    readonly string _input;
    readonly string _output;
    readonly int _classes;
    readonly int _imageSize;

    OnnxModel(string path, string input, string output, VitArchitecture architecture) =>
        (_path, _input, _output, _imageSize, _classes) = (path, input, output, architecture.ImageSize, architecture.Classes);

    /// <summary>Reads a file and checks that it can stand beside a model.</summary>
    /// <param name="path">The ONNX file.</param>
    /// <param name="architecture">Of the model that it is to be compared with.</param>
    /// <param name="batches">The batch sizes that it will be given.</param>
    /// <exception cref="ShiftAddVitException">
    /// ONNX Runtime cannot read the file, or it takes or gives something else, or only batches of another size; or there is no ONNX
    /// Runtime for this platform.
    /// </exception>
    public static OnnxModel Open(string path, VitArchitecture architecture, IEnumerable<int> batches)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        ArgumentNullException.ThrowIfNull(batches);
        if (Directory.Exists(path)) throw new ShiftAddVitException($"{path}: is a directory; an ONNX file is needed");
        if (!File.Exists(path)) throw new ShiftAddVitException($"{path}: no such file");
        using var options = OnnxRuntimeLibrary.Options(threads: 1);
        options.GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL;
        using var session = OnnxRuntimeLibrary.Open(path, options);
        int[] image = [VitArchitecture.Channels, architecture.ImageSize, architecture.ImageSize];
        var input = RequireOne(path, "input", session.InputMetadata, image, batches);
        return new(path, input, RequireOne(path, "output", session.OutputMetadata, [architecture.Classes], batches), architecture);
    }

    /// <summary>Makes ONNX Runtime ready for a batch.</summary>
    /// <param name="images">[B,3,S,S], kept.</param>
    /// <param name="batch">B, one of the batch sizes that the file was opened for.</param>
    /// <param name="threads">Threads that a call uses.</param>
    /// <exception cref="ShiftAddVitException">ONNX Runtime fails on the file, or its output is not finite.</exception>
    public IBenchmarkEngine CreateEngine(float[] images, int batch, int threads)
    {
        ArgumentNullException.ThrowIfNull(images);
        long[] shape = [batch, VitArchitecture.Channels, _imageSize, _imageSize];
        return new OnnxRuntimeEngine(_path, threads, (_input, images, shape), (_output, new float[batch * _classes], [batch, _classes]));
    }

    /// <summary>The name of the only input or output, whose shape is a batch of the one given.</summary>
    static string RequireOne(
        string path, string what, IReadOnlyDictionary<string, NodeMetadata> found, int[] shape, IEnumerable<int> batches)
    {
        if (found.Count != 1) throw new ShiftAddVitException($"{path}: has {found.Count} {what}s; one is needed");
        var (name, node) = found.Single();
        var needed = $"float [batch,{string.Join(',', shape)}] is needed";
        if (!node.IsTensor) throw new ShiftAddVitException($"{path}: its {what} is no tensor; {needed}");
        var extents = node.Dimensions;
        var fits = node.ElementDataType == TensorElementType.Float && extents.Length == shape.Length + 1
            && extents[1..].Zip(shape).All(pair => IsFree(pair.First) || pair.First == pair.Second);
        if (!fits) throw new ShiftAddVitException($"{path}: its {what} is {Describe(node)}; {needed}");
        foreach (var batch in batches)
            if (!IsFree(extents[0]) && extents[0] != batch)
                throw new ShiftAddVitException(
                    $"{path}: its {what} has a fixed batch of {extents[0]}, not {batch}; export it with a free first dimension");
        return name;
    }

    static string Describe(NodeMetadata node) =>
        $"{node.ElementDataType}".ToLowerInvariant()
        + $" [{string.Join(',', node.Dimensions.Select(extent => IsFree(extent) ? "?" : $"{extent}"))}]";

    /// <summary>ONNX Runtime gives the extents that a file leaves open as -1.</summary>
    static bool IsFree(int extent) => extent < 0;
}
