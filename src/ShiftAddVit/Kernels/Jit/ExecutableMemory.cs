using System.ComponentModel;
using System.Runtime.InteropServices;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Memory for generated code. It is written first and made executable after, never both at once, and lives as long as the process.
/// </summary>
static unsafe partial class ExecutableMemory
{
    static readonly Lazy<string?> LazyRefusal = new(Probe);

    /// <summary>Why there is no executable memory; null when there is.</summary>
    /// <exception cref="ShiftAddVitException">A knob is wrong.</exception>
    public static string? Refusal => LazyRefusal.Value;

    /// <summary>Places code in pages of its own and returns its address.</summary>
    /// <exception cref="Win32Exception">The system does not allow executable memory.</exception>
    public static nint Place(ReadOnlySpan<byte> code)
    {
        var length = (nuint)(code.Length + Environment.SystemPageSize - 1) & ~(nuint)(Environment.SystemPageSize - 1);
        return OperatingSystem.IsWindows() ? Windows.Place(code, length) : Posix.Place(code, length);
    }

    static string? Probe()
    {
        if (!Knobs.GeneratedCode) return "SHIFTADD_GENERATED_CODE=off";
        try
        {
            Place([0xC3]);
            return null;
        }
        catch (Win32Exception error)
        {
            return $"the system allows no executable memory ({error.Message})";
        }
    }

    static partial class Posix
    {
        const int ReadWrite = 3, ReadExecute = 5;
        const int Private = 2;
        static readonly int Anonymous = OperatingSystem.IsMacOS() ? 0x1000 : 0x20;

        public static nint Place(ReadOnlySpan<byte> code, nuint length)
        {
            var memory = Map(null, length, ReadWrite, Private | Anonymous, -1, 0);
            if ((nint)memory == -1) throw new Win32Exception(Marshal.GetLastPInvokeError());
            code.CopyTo(new(memory, (int)length));
            if (Protect(memory, length, ReadExecute) == 0) return (nint)memory;
            var error = Marshal.GetLastPInvokeError();
            _ = Unmap(memory, length);
            throw new Win32Exception(error);
        }

        [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
        private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

        [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
        private static partial int Protect(void* address, nuint length, int protection);

        [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
        private static partial int Unmap(void* address, nuint length);
    }

    static partial class Windows
    {
        const uint CommitAndReserve = 0x3000, Release = 0x8000, ReadWrite = 4, ExecuteRead = 0x20;

        public static nint Place(ReadOnlySpan<byte> code, nuint length)
        {
            var memory = Allocate(null, length, CommitAndReserve, ReadWrite);
            if (memory == null) throw new Win32Exception(Marshal.GetLastPInvokeError());
            code.CopyTo(new(memory, (int)length));
            if (Protect(memory, length, ExecuteRead, out _))
            {
                _ = FlushInstructionCache(-1, memory, length);
                return (nint)memory;
            }
            var error = Marshal.GetLastPInvokeError();
            _ = Free(memory, 0, Release);
            throw new Win32Exception(error);
        }

        [LibraryImport("kernel32", EntryPoint = "VirtualAlloc", SetLastError = true)]
        private static partial void* Allocate(void* address, nuint length, uint type, uint protection);

        [LibraryImport("kernel32", EntryPoint = "VirtualProtect", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        private static partial bool Protect(void* address, nuint length, uint protection, out uint before);

        /// <summary>Takes a length of 0 to release all that was allocated.</summary>
        [LibraryImport("kernel32", EntryPoint = "VirtualFree", SetLastError = true)]
        [return: MarshalAs(UnmanagedType.Bool)]
        private static partial bool Free(void* address, nuint length, uint type);

        [LibraryImport("kernel32")]
        [return: MarshalAs(UnmanagedType.Bool)]
        private static partial bool FlushInstructionCache(nint process, void* address, nuint length);
    }
}
