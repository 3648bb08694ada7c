namespace ShiftAddVit.Cli.Tests;

public class BadDataTests : CommandTests
{
    Task Refused(string data, params string[] named) => Refuses(CommandLine.BadInput, named, "eval", Packed(), "--data", data);

    [Fact]
    public Task No_such_folder() => Refused(Folder["absent"], "absent: no such directory");

    [Fact]
    public Task A_file_for_a_folder() => Refused(Image(), "cat.png: is a file");

    [Fact]
    public Task Images_without_labels()
    {
        Data(("a.png", 0));
        File.Delete(Folder["data/labels.csv"]);
        return Refused(Folder["data"], "data: has no labels", "labels.csv");
    }

    [Theory]
    [InlineData("a.png,7", "row 2", "0 to 6 are allowed")]
    [InlineData("a.png,-1", "row 2", "0 to 6 are allowed")]
    [InlineData("a.png,cat", "row 2", "0 to 6 are allowed")]
    [InlineData("absent.png,0", "row 2", "\"absent.png\": no such file")]
    [InlineData("../tiny.savit,0", "row 2", "lies outside the directory")]
    [InlineData("a.png", "row 2", "two fields")]
    [InlineData("", "labels.csv", "has no rows")]
    public Task A_row_that_cannot_be_used(string row, params string[] named)
    {
        Data(("a.png", 0));
        Write("data/labels.csv", $"file,class_index\n{row}\n");
        return Refused(Folder["data"], ["labels.csv", .. named]);
    }

    [Fact]
    public Task A_header_that_is_missing()
    {
        Data(("a.png", 0));
        return Refused(Path.GetDirectoryName(Write("data/labels.csv", "a.png,0\n"))!, "labels.csv", "file,class_index");
    }

    [Fact]
    public Task More_folders_than_classes()
    {
        for (var i = 0; i < 8; i++) Directory.CreateDirectory(Folder[$"set/{i}"]);
        return Refused(Folder["set"], "has 8 class folders", "up to 7");
    }

    [Fact]
    public Task Class_folders_without_an_image() =>
        Refused(Directory.CreateDirectory(Folder["set/cat"]).Parent!.FullName, "set: holds no image");

    [Theory]
    [InlineData("empty", "holds no image")]
    [InlineData("absent", "no such directory")]
    public async Task A_calibration_folder_that_cannot_be_used(string folder, string cause)
    {
        Directory.CreateDirectory(Folder["empty"]);
        await Refuses(
            CommandLine.BadInput, [Folder[folder], cause],
            "reparameterize", Packed(), "-o", Folder["out.savit"], "--linear", "shift", "--method", "gptq", "--calibrate", Folder[folder]);
    }
}
