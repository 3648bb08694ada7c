using System.Buffers.Binary;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Tests.Checkpoints.Torch;

namespace ShiftAddVit.Cli.Tests;

public class BadModelTests : CommandTests
{
    /// <summary>Every verb that opens a model refuses it in one line that names the file and the cause.</summary>
    async Task RefusedByAll(string model, params string[] named)
    {
        var image = Image();
        foreach (var args in (string[][])[
            ["inspect", model], ["run", model, image], ["eval", model, "--data", Data(("a.png", 0))], ["bench", model], ["tune", model],
            ["compare", model, model, "--image", image], ["reparameterize", model, "-o", Folder["out.savit"]]])
            await Refuses(CommandLine.BadInput, [model, .. named], args);
    }

    [Fact]
    public Task A_missing_file() => RefusedByAll(Folder["absent.savit"], "no such file");

    [Fact]
    public Task A_directory() => RefusedByAll(Folder.Path, "is a directory");

    [Fact]
    public Task An_empty_file() => RefusedByAll(Write("empty.safetensors", ""), "is empty");

    [Fact]
    public Task A_file_of_something_else() => RefusedByAll(Write("notes.txt", "These are not the weights you are looking for."));

    [Theory]
    [InlineData(4)]
    [InlineData(100)]
    [InlineData(8000)]
    public Task A_truncated_safetensors_file(int length)
    {
        var bytes = File.ReadAllBytes(Checkpoint());
        Assert.True(length < bytes.Length);
        return RefusedByAll(Write("cut.safetensors", bytes[..length]));
    }

    [Fact]
    public async Task Weights_that_are_no_numbers()
    {
        var bytes = File.ReadAllBytes(Checkpoint());
        BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(bytes.Length - 4), float.NaN);
        var model = Write("nan.safetensors", bytes);
        await Refuses(CommandLine.BadInput, [model, "head.bias", "NaN"], ["inspect", model, .. Known]);
        await Refuses(CommandLine.BadInput, [model, "head.bias", "NaN"], ["reparameterize", model, "-o", Folder["out.savit"], .. Known]);
    }

    [Fact]
    public async Task Weights_of_wrong_shape_or_missing_are_listed()
    {
        var weights = TinyModels.Weights(TinyModels.Architecture);
        weights["blocks.1.norm2.bias"] = new(new(3), new float[3]);
        weights.Remove("blocks.0.mlp.fc2.bias");
        SafetensorsWriter.Write(Folder["wrong.safetensors"], weights);
        await Refuses(
            CommandLine.BadInput, [Folder["wrong.safetensors"], "blocks.1.norm2.bias", "blocks.0.mlp.fc2.bias"],
            ["inspect", Folder["wrong.safetensors"], .. Known]);
    }

    [Theory]
    [InlineData("os")]
    [InlineData("posix")]
    [InlineData("builtins")]
    public Task A_pickle_that_would_run_a_command_does_not(string module)
    {
        var command = TorchBytes.Text($"touch {Folder["ran"]}");
        var function = module == "builtins" ? "eval" : "system";
        return RefusedByAll(Write("evil.pt", TorchBytes.File($"c{module}\n{function}\n({command}tR.")), module);
    }

    [Fact]
    public Task A_truncated_packed_model()
    {
        var bytes = File.ReadAllBytes(Packed());
        return RefusedByAll(Write("cut.savit", bytes[..^1]), "truncated");
    }

    [Theory]
    [InlineData(12)]
    [InlineData(30)]
    [InlineData(80)]
    [InlineData(9000)]
    public Task A_packed_model_with_a_flipped_bit(int at)
    {
        var bytes = File.ReadAllBytes(Packed());
        bytes[at] ^= 4;
        return RefusedByAll(Write("flipped.savit", bytes));
    }

    [Fact]
    public Task A_packed_model_of_a_newer_version()
    {
        var bytes = File.ReadAllBytes(Packed());
        bytes[8] = 3;
        return RefusedByAll(Write("newer.savit", bytes), "version 3", "versions 1 and 2");
    }

    [Fact]
    public async Task A_checkpoint_whose_heads_are_unknown_names_the_cure() =>
        await Refuses(CommandLine.BadInput, ["tiny.safetensors", "--heads", "--arch"], "inspect", Checkpoint());

    [Fact]
    public async Task A_model_that_does_not_say_its_preprocessing_names_the_cure()
    {
        var (checkpoint, packed, data, image) = (Checkpoint(), PackedUnprepared(), Data(("a.png", 0)), Image());
        string[] cure = ["--arch", "--mean", "--std"];
        await Refuses(CommandLine.BadInput, ["tiny.safetensors", .. cure], "run", checkpoint, image, "--heads", "2");
        await Refuses(CommandLine.BadInput, ["tiny.safetensors", .. cure], "eval", checkpoint, "--data", data, "--heads", "2");
        await Refuses(
            CommandLine.BadInput, ["tiny.safetensors", .. cure],
            "reparameterize", checkpoint, "-o", Folder["out.savit"], "--heads", "2", "--method", "gptq", "--calibrate", data);
        await Refuses(
            CommandLine.BadInput, ["tiny.safetensors", .. cure],
            "reparameterize", checkpoint, "-o", Folder["out.savit"], "--heads", "2", "--resize", "24");
        string[] cureOfPacked = ["unprepared.savit: ", "reparameterize its checkpoint anew with", .. cure];
        await Refuses(CommandLine.BadInput, cureOfPacked, "run", packed, image);
        await Refuses(CommandLine.BadInput, cureOfPacked, "eval", packed, "--data", data);
        await Refuses(CommandLine.BadInput, cureOfPacked, "reparameterize", packed, "-o", Folder["out.savit"]);
    }

    [Fact]
    public async Task An_architecture_that_the_file_does_not_have() =>
        await Refuses(
            CommandLine.BadInput, ["--arch deit_tiny_patch16_224", "width 20"],
            "inspect", Checkpoint(), "--arch", "deit_tiny_patch16_224", "--heads", "2");

    [Fact]
    public async Task A_crop_that_is_no_multiple_of_the_patch() =>
        await Refuses(CommandLine.BadInput, ["--crop", "30", "patch size 8"], ["inspect", Checkpoint(), .. Known, "--crop", "30"]);

    [Fact]
    public async Task A_resize_below_the_crop()
    {
        var image = Image();
        await Refuses(CommandLine.BadInput, ["--resize 23", "24"], "run", Packed(), image, "--resize", "23");
        await Refuses(CommandLine.BadInput, ["--resize 23", "24"],
            ["reparameterize", Checkpoint(), "-o", Folder["out.savit"], .. Known, "--resize", "23"]);
    }

    [Fact]
    public async Task Class_names_that_do_not_fit()
    {
        var (checkpoint, names) = (Checkpoint(), Write("names.txt", "cat\ndog\n"));
        await Refuses(
            CommandLine.BadInput, [$"--class-names {names}: has 2 names for the model's 7 classes"],
            ["inspect", checkpoint, .. Known, "--class-names", names]);
        await Refuses(
            CommandLine.BadInput, ["line 3 is blank"],
            ["inspect", checkpoint, .. Known, "--class-names", Write("blank.txt", "cat\ndog\n\nant\nbee\ncow\nelk\nfox\n")]);
        await Refuses(CommandLine.BadInput, ["--class-names", "absent.txt"],
            ["inspect", checkpoint, .. Known, "--class-names", Folder["absent.txt"]]);
        await Refuses(
            CommandLine.BadInput, ["--class-names", Folder.Path], ["inspect", checkpoint, .. Known, "--class-names", Folder.Path]);
    }

    [Fact]
    public async Task Class_names_that_do_not_end()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "/dev/zero is not there");
        await Refuses(
            CommandLine.BadInput, ["--class-names /dev/zero: is too large; up to 16777216 bytes are read"],
            ["inspect", Checkpoint(), .. Known, "--class-names", "/dev/zero"]);
    }

    [Fact]
    public async Task Names_of_files_with_control_characters_do_not_reach_the_terminal()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "such names are not allowed on Windows");
        var (packed, image) = (Packed("a\u001b[31m.savit"), Image());
        var checkpoint = Checkpoint("b\u001b[31m.safetensors");
        foreach (var args in (string[][])[
            ["inspect", packed], ["inspect", checkpoint, .. Known], ["compare", packed, packed, "--image", image],
            ["bench", packed, "--seconds", "1"], ["reparameterize", checkpoint, "-o", Folder["c\u001b[31m.savit"], .. Known]])
            Assert.Contains("?[31m", (await Run(args)).Succeeded().Output);
    }

    [Fact]
    public async Task Names_with_control_characters_do_not_reach_the_terminal()
    {
        await Refuses(CommandLine.BadInput, ["a?[31mb c: no such file"], "inspect", "a\u001b[31mb\nc");
        var output = (await Run("run", Packed(classNames: [.. Enumerable.Range(0, 7).Select(i => $"\u001b[2J{i}")]), Image())).Output;
        Assert.DoesNotContain('\u001b', output);
    }
}
