using System.Runtime.InteropServices;

namespace ShiftAddVit.Checkpoints;

/// <summary>Tells regular files from pipes, sockets and devices, which the base library does not.</summary>
static unsafe partial class FileKind
{
    const int CurrentDirectory = -100, StatxBytes = 256, ModeOffset = 28;
    const uint MaskOfKind = 1;
    const int KindBits = 0xF000, Regular = 0x8000;

    /// <summary>
    /// Whether something that is neither a regular file nor a directory is there; links are followed. Known on Linux only: false
    /// elsewhere, and where nothing is there.
    /// </summary>
    public static bool IsSpecial(string path)
    {
        if (!OperatingSystem.IsLinux() || !File.Exists(path)) return false;
        // The layout of struct statx is the same on every architecture, unlike that of struct stat; stx_mode is 16 bits at byte 28.
        var status = stackalloc byte[StatxBytes];
        return Statx(CurrentDirectory, path, 0, MaskOfKind, status) == 0 && (*(ushort*)(status + ModeOffset) & KindBits) != Regular;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Statx(int directory, string path, int flags, uint mask, byte* status);
}
