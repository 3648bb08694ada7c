using System.Buffers.Binary;

namespace ShiftAddVit.Cli.Tests;

public class BadImageTests : CommandTests
{
    /// <summary>Every verb that reads images refuses it in one line that names the file and the cause.</summary>
    async Task RefusedByAll(string image, string cause)
    {
        var (model, name) = (Packed(), Path.GetFileName(image));
        var data = Path.GetDirectoryName(image)!;
        Write(Path.Combine(data, "labels.csv"), $"file,class_index\n{name},0\n");
        foreach (var args in (string[][])[
            ["run", model, image], ["eval", model, "--data", data], ["compare", model, model, "--image", image],
            ["reparameterize", model, "-o", Folder["out.savit"], "--linear", "shift", "--method", "gptq", "--calibrate", data]])
            await Refuses(CommandLine.BadInput, [name + ": ", cause], [.. args, "--resize", "none"]);
    }

    [Fact]
    public Task Text_named_jpg() => RefusedByAll(Write("text.jpg", "hello"), "is no image that is known");

    [Fact]
    public Task A_file_of_0_bytes() => RefusedByAll(Write("empty.png", ""), "is empty");

    [Fact]
    public Task An_image_cut_short() => RefusedByAll(Write("cut.png", File.ReadAllBytes(Image())[..200]), "damaged or cut short");

    [Fact]
    public Task An_image_smaller_than_the_crop() =>
        RefusedByAll(Image("small.png", 23, 40), "23x40 pixels are fewer than the crop of 24x24");

    [Fact]
    public async Task A_header_that_claims_60000x60000_pixels()
    {
        var bytes = File.ReadAllBytes(Image("bomb.jpg"));
        var frame = bytes.AsSpan().IndexOf([(byte)0xFF, (byte)0xC0]) + 5;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(frame), 60_000);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(frame + 2), 60_000);
        await RefusedByAll(Write("bomb.jpg", bytes), "60000x60000 pixels are too many");
    }

    [Fact]
    public async Task A_png_header_that_claims_60000x60000_pixels()
    {
        // Length, name, width and height, 8-bit RGB, and the checksum that belongs to them.
        var header = Convert.FromHexString("0000000D" + "49484452" + "0000EA60" + "0000EA60" + "0802000000" + "0FB0E215");
        var bytes = File.ReadAllBytes(Image("bomb.png"));
        header.CopyTo(bytes, 8);
        await RefusedByAll(Write("bomb.png", bytes), "60000x60000 pixels are too many");
    }

    [Fact]
    public async Task Missing_images_and_directories()
    {
        var model = Packed();
        await Refuses(CommandLine.BadInput, ["absent.png", "no such file"], "run", model, Folder["absent.png"]);
        await Refuses(CommandLine.BadInput, [Folder.Path, "is a directory"], "run", model, Folder.Path);
        await Refuses(CommandLine.BadInput, ["absent.png", "no such file"], "compare", model, model, "--image", Folder["absent.png"]);
    }
}
