namespace ShiftAddVit.Cli.Tests;

public class BadOutputTests : CommandTests
{
    Task Refused(string output, params string[] named) =>
        Refuses(CommandLine.BadInput, named, ["reparameterize", Checkpoint(), "-o", output, .. Known]);

    [Fact]
    public Task The_input() => Refused(Folder["tiny.safetensors"], "tiny.safetensors: is the input too");

    [Fact]
    public Task The_input_spelled_otherwise() =>
        Refused(Path.Combine(Folder.Path, "absent", "..", ".", "tiny.safetensors"), "tiny.safetensors: is the input too");

    [Fact]
    public Task The_input_by_a_relative_path() =>
        Refused(Path.GetRelativePath(Environment.CurrentDirectory, Folder["tiny.safetensors"]), "tiny.safetensors: is the input too");

    [Fact]
    public async Task The_input_by_a_symbolic_link()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "symbolic links need a privilege on Windows");
        File.CreateSymbolicLink(Folder["link"], "tiny.safetensors");
        await Refused(Folder["link"], "link: is the input too");
        using var other = new TemporaryFolder();
        Directory.CreateSymbolicLink(other["folder"], Folder.Path);
        await Refused(Path.Combine(other["folder"], "tiny.safetensors"), "is the input too");
        await Refuses(
            CommandLine.BadInput, ["is the input too"], ["reparameterize", Folder["link"], "-o", Folder["tiny.safetensors"], .. Known]);
    }

    [Fact]
    public async Task The_file_of_class_names()
    {
        var names = Write("names.txt", "cat\ndog\nant\nbee\ncow\nelk\nfox\n");
        await Refuses(
            CommandLine.BadInput, ["names.txt: is the file of --class-names too"],
            ["reparameterize", Checkpoint(), "-o", names, .. Known, "--class-names", names]);
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("preprocessor_config.json")]
    public Task The_configuration_beside_the_input(string name) => Refused(Write(name, "{}"), $"{name}: is the input's configuration too");

    [Theory]
    [InlineData("data/labels.csv")]
    [InlineData("data/b.png")]
    public async Task What_calibration_reads(string output)
    {
        var data = Data(("a.png", 0), ("b.png", 1));
        // Said before the model is read: there is none.
        await Refuses(
            CommandLine.BadInput, [$"{output}: is read by --calibrate too"],
            "reparameterize", "absent", "-o", Folder[output], "--method", "gptq", "--calibrate", data);
    }

    [Fact]
    public async Task A_hard_link_to_the_input_leaves_the_input_alone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "hard links are made by a call of Unix");
        var before = File.ReadAllBytes(Checkpoint());
        ChildProcess.HardLink(Folder["tiny.safetensors"], Folder["link.savit"]);
        (await Run(["reparameterize", Folder["tiny.safetensors"], "-o", Folder["link.savit"], .. Known])).Succeeded();
        Assert.Equal(before, File.ReadAllBytes(Folder["tiny.safetensors"]));
        (await Run("inspect", Folder["link.savit"])).Succeeded();
    }

    [Fact]
    public Task A_folder_that_does_not_exist() => Refused(Folder["absent/out.savit"], "absent/out.savit", "does not exist");

    [Fact]
    public Task A_folder() => Refused(Folder.Path, Folder.Path, "is a directory");

    [Fact]
    public Task A_file_for_a_folder() => Refused(Path.Combine(Checkpoint(), "out.savit"), "out.savit", "does not exist");

    [Fact]
    public async Task A_folder_without_permission()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Skip("permissions do not bind this user");
            return;
        }
        var folder = Directory.CreateDirectory(Folder["locked"]);
        File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        await Refused(Folder["locked/out.savit"], "locked/out.savit: no permission");
        File.SetUnixFileMode(folder.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public Task A_file_system_that_takes_no_files()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc is of Linux");
        return Refused("/proc/out.savit", "/proc/out.savit: ");
    }

    [Fact]
    public async Task The_output_is_checked_before_the_model_is_read() =>
        await Refuses(CommandLine.BadInput, ["absent/out.savit"], "reparameterize", "absent.safetensors", "-o", Folder["absent/out.savit"]);

    [Fact]
    public async Task A_failure_keeps_the_old_output()
    {
        Write("out.savit", "old");
        var input = Write("text.safetensors", "hello, world");
        await Refuses(CommandLine.BadInput, ["text.safetensors"], "reparameterize", input, "-o", Folder["out.savit"]);
    }

    [Fact]
    public async Task A_cancelled_command_leaves_nothing()
    {
        var (model, image, data) = (Packed(), Image(), Data(("a.png", 0)));
        var before = Files();
        foreach (var args in (string[][])[
            ["reparameterize", model, "-o", Folder["out.savit"]], ["inspect", model], ["compare", model, model, "--image", image],
            ["run", model, image], ["eval", model, "--data", data], ["bench", model], ["tune", model]])
        {
            var (output, error) = (new StringWriter(), new StringWriter());
            Assert.Equal(CommandLine.Cancelled, await CommandLine.RunAsync(args, output, error, new(canceled: true)));
            Assert.Equal("", $"{output}{error}");
        }
        Assert.Equal(before, Files());
    }
}
