using System.Runtime.Versioning;
using ShiftAddVit.Checkpoints;

namespace ShiftAddVit.Tests.Checkpoints;

public class AtomicFileTests
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
}
