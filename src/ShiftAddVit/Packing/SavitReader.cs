using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Packing;

/// <summary>Reads a packed file; every length is checked against the file's before anything of that length is allocated.</summary>
sealed class SavitReader : IDisposable
{
    readonly string _path;
    readonly FileStream _stream;
    readonly Lazy<IncrementalHash> _hash = new(() => IncrementalHash.CreateHash(HashAlgorithmName.SHA256));
    readonly Dictionary<string, Tensor> _tensors = [];
    readonly Dictionary<string, WeightPlane> _weights = [];

    SavitReader(string path)
    {
        _path = path;
        if (Directory.Exists(path)) throw new ShiftAddVitException($"{path}: is a directory; a model is a file");
        if (!File.Exists(path)) throw new ShiftAddVitException($"{path}: no such file");
        try
        {
            _stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw Unreadable(path, error);
        }
    }

    /// <summary>Reads a packed file: the model, its planes, the file's length and its hash in hexadecimal.</summary>
    public static (VitGraph Graph, ImmutableArray<Plane> Planes, long Length, string Sha256) Read(string path)
    {
        using var reader = new SavitReader(path);
        try
        {
            return reader.Read();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }
    }

    /// <summary>Whether the file begins as a packed model does.</summary>
    public static bool HasMagic(string path)
    {
        using var reader = new SavitReader(path);
        Span<byte> magic = stackalloc byte[SavitFormat.Magic.Length];
        try
        {
            var length = reader._stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
            return magic[..length].SequenceEqual(SavitFormat.Magic);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        if (_hash.IsValueCreated) _hash.Value.Dispose();
    }

    static ShiftAddVitException Unreadable(string path, Exception error) => new(
        $"{path}: " + error switch
        {
            FileNotFoundException or DirectoryNotFoundException => "no such file; a checkpoint (.safetensors, .pth) or a packed model (.savit) is needed",
            UnauthorizedAccessException when Directory.Exists(path) => "is a directory; a file is needed",
            _ => $"cannot be read: {ErrorText.FirstLine(error.Message)}",
        },
        error);

    (VitGraph, ImmutableArray<Plane>, long, string) Read()
    {
        var (version, headerLength, expectedHash) = ReadPrologue();
        var header = ReadHeader(headerLength, version);
        var shapes = RequireComplete(header);
        RequireLength(header, headerLength, shapes);
        foreach (var plane in header.Planes) ReadPlane(plane, shapes[plane.Name]);
        var hash = _hash.Value.GetHashAndReset();
        Require(hash.AsSpan().SequenceEqual(expectedHash), "checksum does not match: the file is damaged");
        return (Build(header), header.Planes, _stream.Length, Convert.ToHexStringLower(hash));
    }

    (uint Version, int HeaderLength, byte[] Hash) ReadPrologue()
    {
        var prologue = new byte[SavitFormat.PrologueLength];
        var read = _stream.ReadAtLeast(prologue, prologue.Length, throwOnEndOfStream: false);
        Require(read >= SavitFormat.Magic.Length && prologue.AsSpan().StartsWith(SavitFormat.Magic), "not a packed model (.savit)");
        Require(read == prologue.Length, "truncated");
        var version = BinaryPrimitives.ReadUInt32LittleEndian(prologue.AsSpan(8));
        Require(
            version is SavitFormat.PlainVersion or SavitFormat.FormsVersion,
            $"format version {version}; this library reads versions {SavitFormat.PlainVersion} and {SavitFormat.FormsVersion}");
        var headerLength = BinaryPrimitives.ReadUInt32LittleEndian(prologue.AsSpan(12));
        var fileLength = BinaryPrimitives.ReadUInt64LittleEndian(prologue.AsSpan(16));
        Require(fileLength == (ulong)_stream.Length, $"{_stream.Length} bytes where its header says {fileLength}: truncated or damaged");
        Require(headerLength <= SavitFormat.MaxHeaderLength && headerLength <= _stream.Length - prologue.Length, $"header length {headerLength} is damaged");
        var rest = prologue.AsSpan(SavitFormat.HashOffset + SavitFormat.HashLength);
        Require(!rest.ContainsAnyExcept((byte)0), "bytes of the prologue that must be 0 are not: damaged");
        _hash.Value.AppendData(prologue.AsSpan(0, SavitFormat.HashOffset));
        return (version, (int)headerLength, prologue.AsSpan(SavitFormat.HashOffset, SavitFormat.HashLength).ToArray());
    }

    SavitHeader ReadHeader(int length, uint version)
    {
        var bytes = Read(length);
        try
        {
            var header = SavitHeaderJson.Read(bytes, hasForms: version == SavitFormat.FormsVersion);
            header.Architecture.Validate(_path);
            Require(header.Version == version, $"format version {version} without forms of blocks: damaged");
            header.Preprocessing?.Validate(_path, header.Architecture.ImageSize);
            Require(header.ClassNames.Length == 0 || header.ClassNames.Length == header.Architecture.Classes, "class names do not match the number of classes");
            return header;
        }
        catch (JsonException error)
        {
            throw new ShiftAddVitException($"{_path}: header is damaged at byte {error.BytePositionInLine}", error);
        }
        catch (Exception error) when (error is FormatException or InvalidOperationException)
        {
            throw new ShiftAddVitException($"{_path}: header is damaged: {ErrorText.FirstLine(error.Message)}", error);
        }
    }

    /// <summary>The shape of every plane; the planes must be exactly the architecture's parameters and the scales of quantised weights.</summary>
    Dictionary<string, Shape> RequireComplete(SavitHeader header)
    {
        var parameters = header.Architecture.Parameters().ToDictionary();
        var shapes = new Dictionary<string, Shape>();
        foreach (var (name, encoding) in header.Planes)
        {
            var isScale = name.EndsWith(SavitFormat.ScaleSuffix, StringComparison.Ordinal);
            Require(parameters.TryGetValue(isScale ? name[..^SavitFormat.ScaleSuffix.Length] : name, out var shape), $"unknown plane {ErrorText.Quote(name)}");
            var isFloat = encoding is PlaneEncoding.F32 or PlaneEncoding.F16;
            var isMatrix = !isScale && shape.Rank >= 2 && name.EndsWith(".weight", StringComparison.Ordinal);
            Require(Enum.IsDefined(encoding) && (isFloat || isMatrix), $"plane {name} cannot be {encoding}");
            Require(shapes.TryAdd(name, isScale ? new(shape[0]) : shape), $"plane {name} occurs twice");
            if (SavitFormat.HasScales(encoding)) parameters.Add(name + SavitFormat.ScaleSuffix, new(shape[0]));
        }
        foreach (var name in parameters.Keys) Require(shapes.ContainsKey(name), $"plane {name} is missing");
        foreach (var name in shapes.Keys) Require(parameters.ContainsKey(name), $"plane {name} belongs to no quantised weight");
        return shapes;
    }

    void RequireLength(SavitHeader header, int headerLength, Dictionary<string, Shape> shapes)
    {
        var length = SavitFormat.PrologueLength + SavitFormat.Align(headerLength);
        foreach (var plane in header.Planes)
        {
            var bytes = SavitFormat.Align(SavitFormat.ByteLength(plane.Encoding, shapes[plane.Name]));
            Require(bytes <= Array.MaxLength, $"plane {plane.Name} takes {bytes} bytes; allowed: at most {Array.MaxLength}");
            length += bytes;
        }
        Require(length == _stream.Length, $"{_stream.Length} bytes where its planes need {length}: damaged");
    }

    void ReadPlane(Plane plane, Shape shape)
    {
        var length = (int)SavitFormat.ByteLength(plane.Encoding, shape);
        var bytes = Read(length);
        switch (plane.Encoding)
        {
            case PlaneEncoding.F32:
                AddTensor(plane.Name, new(shape, MemoryMarshal.Cast<byte, float>(bytes.AsSpan()).ToArray()));
                break;
            case PlaneEncoding.F16:
                AddTensor(plane.Name, new(shape, HalfPrecision.Widen(MemoryMarshal.Cast<byte, Half>(bytes.AsSpan()))));
                break;
            default:
                AddWeight(plane, shape, bytes);
                break;
        }
    }

    void AddTensor(string name, Tensor tensor)
    {
        Require(Finite.All(tensor.Values), $"{name} holds a value that is not finite");
        Require(!name.EndsWith(".hash.spread", StringComparison.Ordinal) || IsPositive(tensor), $"{name} holds a value that is not positive");
        _tensors.Add(name, tensor);
    }

    void AddWeight(Plane plane, Shape shape, byte[] codes)
    {
        try
        {
            _weights.Add(plane.Name, WeightPlane.FromCodes(SavitFormat.Format(plane.Encoding), shape[0], shape.ElementCount / shape[0], codes));
        }
        catch (FormatException error)
        {
            throw new ShiftAddVitException($"{_path}: {plane.Name}: {error.Message}", error);
        }
    }

    VitGraph Build(SavitHeader header)
    {
        var builder = new VitGraphBuilder(header.Architecture, name => _tensors[name], Weight);
        return builder.Build(header.Preprocessing, header.ClassNames, header.Provenance);
    }

    LinearWeight Weight(string linear, int outputs, int inputs)
    {
        var name = linear + ".weight";
        if (!_weights.TryGetValue(name, out var plane)) return new DenseWeight(_tensors[name].Reshape(new(outputs, inputs)));
        if (!_tensors.TryGetValue(name + SavitFormat.ScaleSuffix, out var scales)) return new QuantizedWeight(plane);
        Require(IsPositive(scales), $"{name}{SavitFormat.ScaleSuffix} holds a scale that is not positive");
        return new QuantizedWeight(plane, scales);
    }

    static bool IsPositive(Tensor tensor) => !tensor.Values.ContainsAnyExceptInRange(float.Epsilon, float.MaxValue);

    /// <summary>Reads a part and passes over its padding; both count towards the hash.</summary>
    byte[] Read(int length)
    {
        var bytes = new byte[length];
        Fill(bytes);
        Span<byte> padding = stackalloc byte[SavitFormat.Alignment];
        Fill(padding[..(int)(SavitFormat.Align(length) - length)]);
        return bytes;
    }

    void Fill(Span<byte> bytes)
    {
        Require(_stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length, "truncated");
        _hash.Value.AppendData(bytes);
    }

    void Require([System.Diagnostics.CodeAnalysis.DoesNotReturnIf(false)] bool holds, string problem)
    {
        if (!holds) throw new ShiftAddVitException($"{_path}: {problem}");
    }
}
