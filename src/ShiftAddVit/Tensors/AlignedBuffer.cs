using System.Runtime.InteropServices;

namespace ShiftAddVit.Tensors;

/// <summary>
/// Native memory that starts on a multiple of 64 bytes: a cache line, and the widest vector. The collector neither moves nor scans it.
/// Freed by <see cref="Dispose"/>, or by the finalizer; its spans must not be used after that.
/// </summary>
public sealed unsafe class AlignedBuffer : IDisposable
{
    /// <summary>The alignment of every buffer, in bytes.</summary>
    public const int Alignment = 64;

    byte* _memory;

    /// <summary>Allocates <paramref name="byteLength"/> bytes.</summary>
    /// <param name="byteLength">How many bytes; 0 is allowed.</param>
    /// <param name="clear">Whether the bytes start as 0; otherwise their content is undefined.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="byteLength"/> is negative.</exception>
    /// <exception cref="OutOfMemoryException">The system has no such block.</exception>
    public AlignedBuffer(long byteLength, bool clear = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteLength);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)long.Max(byteLength, 1), Alignment);
        ByteLength = byteLength;
        if (clear) NativeMemory.Clear(_memory, (nuint)byteLength);
        if (byteLength > 0) GC.AddMemoryPressure(byteLength);
    }

    /// <summary>A length in bytes rounded up so that what follows it is aligned.</summary>
    internal static long Align(long bytes) => (bytes + Alignment - 1) & -Alignment;

    /// <summary>A buffer that holds a copy of some floats.</summary>
    public static AlignedBuffer Copy(ReadOnlySpan<float> values)
    {
        var buffer = new AlignedBuffer((long)values.Length * sizeof(float), clear: false);
        values.CopyTo(buffer.AsSpan<float>());
        return buffer;
    }

    /// <summary>Frees a buffer that nobody disposed.</summary>
    ~AlignedBuffer() => Free();

    /// <summary>How many bytes the buffer holds.</summary>
    public long ByteLength { get; }

    /// <summary>The first byte.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    internal byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(_memory == null, this);
            return _memory;
        }
    }

    /// <summary>The whole buffer as elements of <typeparamref name="T"/>; bytes beyond the last whole element are left out.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was disposed.</exception>
    /// <exception cref="OverflowException">There are more than 2^31 - 1 elements.</exception>
    public Span<T> AsSpan<T>() where T : unmanaged => new(Pointer, checked((int)(ByteLength / sizeof(T))));

    /// <summary>Frees the memory. Further calls do nothing.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    void Free()
    {
        if (_memory == null) return;
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        if (ByteLength > 0) GC.RemoveMemoryPressure(ByteLength);
    }
}
