using System.IO.MemoryMappedFiles;

namespace ShiftAddVit.Checkpoints;

/// <summary>The bytes of a file, mapped read-only: pages are read when touched. The file must not shrink while it is mapped.</summary>
sealed unsafe class MappedFile : IDisposable
{
    readonly MemoryMappedFile _mapping;
    readonly MemoryMappedViewAccessor _view;
    readonly byte* _start;
    bool _disposed;

    MappedFile(FileStream stream)
    {
        Length = stream.Length;
        _mapping = MemoryMappedFile.CreateFromFile(
            stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        try
        {
            _view = _mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        }
        catch
        {
            _mapping.Dispose();
            throw;
        }
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += _view.PointerOffset;
    }

    /// <summary>Length of the file in bytes; at least 1.</summary>
    public long Length { get; }

    /// <summary>Maps a file.</summary>
    /// <exception cref="ShiftAddVitException">The file does not exist, is a directory, is empty or cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        if (Directory.Exists(path)) throw new ShiftAddVitException($"{path}: is a directory; a checkpoint is a file");
        if (!File.Exists(path)) throw new ShiftAddVitException($"{path}: no such file");
        try
        {
            return Map(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new ShiftAddVitException($"{path}: cannot be read: {ErrorText.FirstLine(e.Message)}", e);
        }
    }

    static MappedFile Map(string path)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            // An empty file cannot be mapped.
            if (stream.Length == 0) throw new ShiftAddVitException($"{path}: is empty; expected a safetensors or PyTorch file");
            return new(stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>A range of the file. The span must not outlive this object.</summary>
    /// <exception cref="InvalidDataException">The range is not inside the file.</exception>
    public ReadOnlySpan<byte> Bytes(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (offset < 0 || length < 0 || offset > Length - length)
            throw new InvalidDataException("the file is truncated: it refers to bytes beyond its end");
        return new(_start + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
    }
}
