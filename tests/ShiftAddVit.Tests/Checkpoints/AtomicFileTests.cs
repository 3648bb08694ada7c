using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using ShiftAddVit.Checkpoints;

namespace ShiftAddVit.Tests.Checkpoints;

public partial class AtomicFileTests
{
    static readonly Action<Stream> WriteNew = stream => stream.Write("new"u8);

    [Fact]
    public void A_file_is_created_and_replaced()
    {
        using var directory = new TempDirectory();
        AtomicFile.Write(directory.File("a"), stream => stream.Write("old and longer"u8));
        AtomicFile.Write(directory.File("a"), WriteNew);
        Assert.Equal("new", File.ReadAllText(directory.File("a")));
        Assert.Single(Directory.GetFiles(directory.Path));
    }

    [Fact]
    public void The_old_file_is_whole_until_the_new_one_is()
    {
        using var directory = new TempDirectory();
        var path = directory.Write("a", "old"u8);
        AtomicFile.Write(path, stream =>
        {
            WriteNew(stream);
            stream.Flush();
            Assert.Equal("old", File.ReadAllText(path));
        });
        Assert.Equal("new", File.ReadAllText(path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_failure_while_writing_keeps_the_old_file_and_leaves_no_other(bool existed)
    {
        using var directory = new TempDirectory();
        var path = directory.File("a");
        if (existed) directory.Write("a", "old"u8);
        Assert.Throws<OperationCanceledException>(() => AtomicFile.Write(path, stream =>
        {
            WriteNew(stream);
            throw new OperationCanceledException();
        }));
        Assert.Equal(existed ? ["old"] : [], Directory.GetFiles(directory.Path).Select(File.ReadAllText));
    }

    [Fact]
    public void A_failure_of_the_disk_is_one_line_and_leaves_no_file()
    {
        using var directory = new TempDirectory();
        var path = directory.File("a");
        Refused.By(path, () => AtomicFile.Write(path, _ => throw new IOException("No space left\non device")), "No space left");
        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    [Fact]
    public void A_directory_is_no_file()
    {
        using var directory = new TempDirectory();
        Refused.By(directory.Path, () => AtomicFile.Write(directory.Path, _ => Assert.Fail("called")), "is a directory");
    }

    [Fact]
    public void A_directory_that_does_not_exist_is_refused_before_any_work()
    {
        using var directory = new TempDirectory();
        var path = Path.Combine(directory.Path, "none", "a");
        Refused.By(path, () => AtomicFile.Write(path, _ => Assert.Fail("called")), "does not exist");
    }

    [Fact]
    public void An_empty_path_is_refused() => Refused.By("output", () => AtomicFile.Write("", WriteNew), "empty");

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_directory_without_permission_is_refused()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "this user may write everywhere");
        using var directory = new TempDirectory();
        var path = directory.File("a");
        File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            Refused.By(path, () => AtomicFile.Write(path, _ => Assert.Fail("called")), "no permission");
        }
        finally
        {
            File.SetUnixFileMode(directory.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public void A_symbolic_link_stays_and_its_target_is_replaced()
    {
        using var directory = new TempDirectory();
        Directory.CreateDirectory(directory.File("inner"));
        var target = directory.Write(Path.Combine("inner", "target"), "old"u8);
        var link = File.CreateSymbolicLink(directory.File("link"), Path.Combine("inner", "target"));
        File.CreateSymbolicLink(directory.File("outer"), "link");
        AtomicFile.RequireWritable(directory.File("outer"));
        AtomicFile.Write(directory.File("outer"), stream =>
        {
            WriteNew(stream);
            Assert.Equal(2, Directory.GetFiles(directory.File("inner")).Length);
        });
        Assert.Equal("new", File.ReadAllText(target));
        Assert.Equal(Path.Combine("inner", "target"), new FileInfo(link.FullName).LinkTarget);
        Assert.Equal("link", new FileInfo(directory.File("outer")).LinkTarget);
    }

    [Fact]
    public void A_link_to_a_file_that_is_not_there_creates_it()
    {
        using var directory = new TempDirectory();
        File.CreateSymbolicLink(directory.File("link"), "target");
        AtomicFile.Write(directory.File("link"), WriteNew);
        Assert.Equal("new", File.ReadAllText(directory.File("target")));
        Assert.Equal("target", new FileInfo(directory.File("link")).LinkTarget);
    }

    [Fact]
    public void A_link_in_a_circle_is_refused()
    {
        using var directory = new TempDirectory();
        var path = directory.File("a");
        File.CreateSymbolicLink(path, "b");
        File.CreateSymbolicLink(directory.File("b"), "a");
        RefusedByBoth(path, "cannot be written");
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void The_mode_of_a_file_that_is_replaced_is_kept()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no modes");
        using var directory = new TempDirectory();
        var path = directory.Write("a", "old"u8);
        foreach (var mode in new[] { UnixFileMode.UserRead, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite })
        {
            File.SetUnixFileMode(path, mode);
            AtomicFile.Write(path, WriteNew);
            Assert.Equal(mode, File.GetUnixFileMode(path));
        }
        Assert.Equal("new", File.ReadAllText(path));
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void What_is_no_regular_file_is_refused(bool linked)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the kind of a file is known on Linux only");
        using var directory = new TempDirectory();
        var pipe = directory.File("pipe");
        Assert.Equal(0, MakeFifo(pipe, 0b110_000_000));
        foreach (var special in new[] { pipe, "/dev/null" })
        {
            var path = linked ? directory.File($"to {Path.GetFileName(special)}") : special;
            if (linked) File.CreateSymbolicLink(path, special);
            RefusedByBoth(path, "not a regular file");
        }
        Assert.Equal(linked ? 3 : 1, Directory.GetFiles(directory.Path).Length);
    }

    static void RefusedByBoth(string path, string words)
    {
        Refused.By(path, () => AtomicFile.RequireWritable(path), words);
        Refused.By(path, () => AtomicFile.Write(path, _ => Assert.Fail("called")), words);
    }

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MakeFifo(string path, uint mode);
}
