using System.Runtime.InteropServices;

namespace ShiftAddVit.Tests;

/// <summary>
/// Memory whose last byte is followed by a page that can not be touched, so that reading or writing one byte too many ends the process
/// (Linux); elsewhere by bytes that <see cref="Dispose"/> finds changed. Filled with a sentinel, not with zeros.
/// </summary>
sealed unsafe partial class GuardedMemory : IDisposable
{
    public const byte Sentinel = 0xA5;

    const int CanaryBytes = 256;
    const int ReadWrite = 3, NoAccess = 0, PrivateAnonymous = 0x22;

    readonly byte* _block;
    readonly nuint _blockBytes;

    public GuardedMemory(long byteLength)
    {
        var page = (nuint)Environment.SystemPageSize;
        ByteLength = (int)byteLength;
        var bodyBytes = ((nuint)byteLength + page - 1) / page * page;
        if (OperatingSystem.IsLinux())
        {
            _blockBytes = bodyBytes + page;
            _block = Map(null, _blockBytes, ReadWrite, PrivateAnonymous, -1, 0);
            Assert.NotEqual(-1, (nint)_block);
            Assert.Equal(0, Protect(_block + bodyBytes, page, NoAccess));
        }
        else
        {
            _blockBytes = bodyBytes + CanaryBytes;
            _block = (byte*)NativeMemory.Alloc(_blockBytes);
            new Span<byte>(_block + bodyBytes, CanaryBytes).Fill(Sentinel);
        }
        Pointer = _block + bodyBytes - byteLength;
        Bytes.Fill(Sentinel);
    }

    public int ByteLength { get; }

    public byte* Pointer { get; }

    public Span<byte> Bytes => new(Pointer, ByteLength);

    public Span<T> As<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes);

    /// <summary>Memory that holds a copy of <paramref name="values"/>.</summary>
    public static GuardedMemory Of<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var memory = new GuardedMemory((long)values.Length * sizeof(T));
        values.CopyTo(memory.As<T>());
        return memory;
    }

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Unmap(_block, _blockBytes);
            return;
        }
        var canary = new Span<byte>(Pointer + ByteLength, CanaryBytes);
        var intact = !canary.ContainsAnyExcept(Sentinel);
        NativeMemory.Free(_block);
        Assert.True(intact, "written beyond the end");
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    internal static partial byte* Map(void* address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    internal static partial int Protect(void* address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Unmap(void* address, nuint bytes);
}
