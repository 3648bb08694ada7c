using System.Collections.Immutable;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Models;

namespace ShiftAddVit.Packing;

/// <summary>
/// A model as it is stored: every parameter in its most compact lossless plane. Portable: nothing in it depends on a machine or a
/// kernel. Packing loses nothing; what may be lost is a pass's business (docs/pipeline.md).
/// </summary>
public sealed class PackedModel
{
    /// <summary>The customary extension of a packed file.</summary>
    public const string Extension = ".savit";

    /// <summary>Knows the file's bytes; made when they are first needed.</summary>
    SavitWriter? _writer;

    PackedModel(VitGraph graph, IEnumerable<Plane> planes, long byteLength, string sha256) =>
        (Graph, Planes, ByteLength, Sha256) = (graph, [.. planes], byteLength, sha256);

    /// <summary>Architecture and weights.</summary>
    public VitGraph Graph { get; }

    /// <summary>The planes in file order.</summary>
    public ImmutableArray<Plane> Planes { get; }

    /// <summary>Size of the file, in bytes.</summary>
    public long ByteLength { get; }

    /// <summary>SHA-256 of the contents, lower-case hexadecimal: equal models have equal hashes.</summary>
    public string Sha256 { get; }

    /// <summary>Chooses the planes of a model: float16 where that is exact, float32 elsewhere, codes for integer weights.</summary>
    public static PackedModel Pack(VitGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var writer = new SavitWriter(graph);
        return new(graph, writer.Planes, writer.ByteLength, Convert.ToHexStringLower(writer.Sha256)) { _writer = writer };
    }

    /// <summary>Whether the file begins as a packed model does, whatever its name.</summary>
    /// <exception cref="ShiftAddVitException">The file cannot be read.</exception>
    public static bool IsPacked(string path) => SavitReader.HasMagic(path);

    /// <summary>Opens a model at any stage: a packed file as it is, anything else as a dense checkpoint.</summary>
    /// <param name="path">A <c>.savit</c>, safetensors or PyTorch file; its content decides.</param>
    /// <param name="options">What the caller knows about a checkpoint; a packed file knows all of it itself.</param>
    /// <exception cref="ShiftAddVitException">The file cannot be used.</exception>
    public static PackedModel Open(string path, LoadOptions? options = null) =>
        IsPacked(path) ? Load(path) : Pack(VitLoader.Load(path, options));

    /// <summary>Reads a packed file.</summary>
    /// <exception cref="ShiftAddVitException">The file is missing, truncated, damaged, of a newer version or not a packed model.</exception>
    public static PackedModel Load(string path)
    {
        var (graph, planes, length, sha256) = SavitReader.Read(path);
        return new(graph, planes, length, sha256);
    }

    /// <summary>Writes the packed file: all of it or nothing.</summary>
    /// <exception cref="ShiftAddVitException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.Write(path, (_writer ??= new(Graph)).Write);
}
