namespace ShiftAddVit.Cli.Tests;

public class BadCommandLineTests : CommandTests
{
    [Theory]
    [InlineData("a command is needed")]
    [InlineData("frobnicate: no such command", "frobnicate")]
    [InlineData("--frob: no such option", "--frob")]
    [InlineData("--frob: no such option", "run", "--frob")]
    [InlineData("--frob: no such option", "run", "m", "i", "--frob", "4")]
    [InlineData("-x: no such option", "inspect", "m", "-x")]
    [InlineData("--frob: no such option", "doctor", "--frob")]
    [InlineData("inspect: FILE is missing (see shiftadd inspect --help)", "inspect")]
    [InlineData("run: IMAGE is missing (", "run", "m")]
    [InlineData("eval: MODEL is missing (", "eval", "--data", "d")]
    [InlineData("compare: B is missing (", "compare", "a", "--image", "i")]
    [InlineData("completion: SHELL is missing (", "completion")]
    [InlineData("inspect: extra is one argument too many (", "inspect", "m", "extra")]
    [InlineData("reparameterize: --output is missing (", "reparameterize", "m")]
    [InlineData("eval: --data is missing (", "eval", "m")]
    [InlineData("compare: --image is missing (", "compare", "a", "b")]
    [InlineData("--threads: a value is missing (", "eval", "m", "--data", "d", "--threads")]
    [InlineData("MODEL: is empty", "run", "", "i")]
    [InlineData("IMAGE: is empty", "run", "m", "i", "")]
    [InlineData("--against: is empty", "bench", "m", "--against", "")]
    [InlineData("--against: a value is missing (", "bench", "m", "--against")]
    [InlineData("-o: a value is missing (", "reparameterize", "m", "-o")]
    [InlineData("--output: is empty", "reparameterize", "m", "-o", "")]
    [InlineData("SHELL tcsh: bash, zsh, fish, pwsh are allowed", "completion", "tcsh")]
    public async Task Verbs_options_and_arguments_are_checked(string named, params string[] args) =>
        await Refuses(CommandLine.BadCommandLine, [named, "--help)"], args);

    [Theory]
    [InlineData("--threads", "0", "1 to 1024")]
    [InlineData("--threads", "-1", "1 to 1024")]
    [InlineData("--threads", "abc", "1 to 1024")]
    [InlineData("--threads", "9999", "1 to 1024")]
    [InlineData("--limit", "0", "above 0")]
    [InlineData("--limit", "1.5", "above 0")]
    [InlineData("--heads", "0", "above 0")]
    [InlineData("--crop", "-16", "above 0")]
    [InlineData("--resize", "0", "1 to 16384 pixels, or none")]
    [InlineData("--resize", "some", "1 to 16384 pixels, or none")]
    [InlineData("--resize", "99999", "1 to 16384 pixels, or none")]
    [InlineData("--mean", "0.5,0.5", "three numbers from 0 to 1")]
    [InlineData("--mean", "0.5,0.5,a", "three numbers from 0 to 1")]
    [InlineData("--mean", "127,127,127", "three numbers from 0 to 1")]
    [InlineData("--std", "1,0,1", "three numbers above 0")]
    [InlineData("--std", "1,NaN,1", "three numbers above 0")]
    [InlineData("--arch", "resnet50", "deit_tiny_patch16_224")]
    public async Task Values_are_checked_before_anything_is_read(string option, string value, string allowed) =>
        await Refuses(
            CommandLine.BadCommandLine, [$"{option} {value}: ", allowed], "eval", "absent.savit", "--data", "absent", option, value);

    [Theory]
    [InlineData("0,1,2")]
    [InlineData("1,2")]
    [InlineData("1,2,3,4")]
    [InlineData("1,2,x")]
    [InlineData("-1,2,3")]
    [InlineData("1,66001,1")]
    [InlineData("9999999,2,9999999")]
    public async Task Shapes_are_checked(string shape) =>
        await Refuses(CommandLine.BadCommandLine, [$"--shape {shape}: M,K,N is needed"], "kernels", "--shape", "1,1,1", "--shape", shape);

    [Theory]
    [InlineData("1,2,3")]
    [InlineData("1,2,3,4,5")]
    [InlineData("0,1,1,1")]
    [InlineData("1,1,1,65")]
    [InlineData("1,8193,1,1")]
    [InlineData("1,2,3,x")]
    public async Task Head_shapes_are_checked(string shape) =>
        await Refuses(CommandLine.BadCommandLine, [$"--head-shape {shape}: H,N,D,I is needed"], "kernels", "--head-shape", shape);

    [Theory]
    [InlineData("-1")]
    [InlineData("five")]
    [InlineData("NaN")]
    public async Task A_percentage_is_checked(string percent) =>
        await Refuses(CommandLine.BadCommandLine, [$"--assert {percent}: 0 to 1000 percent"], "kernels", "--assert", percent);

    [Theory]
    [InlineData("--batch", "0")]
    [InlineData("--batch", "1,x")]
    [InlineData("--batch", "1,")]
    [InlineData("--batch", "2048")]
    [InlineData("--threads", "0")]
    [InlineData("--threads", "0,1")]
    [InlineData("--seconds", "0")]
    public async Task Values_of_bench_are_checked(string option, string value) =>
        await Refuses(CommandLine.BadCommandLine, [$"{option} {value}: "], "bench", "absent.savit", option, value);

    [Theory]
    [InlineData("--threads", "0")]
    [InlineData("--threads", "1,1025")]
    [InlineData("--seconds", "0")]
    public async Task Values_of_tune_are_checked(string option, string value) =>
        await Refuses(CommandLine.BadCommandLine, [$"{option} {value}: "], "tune", "absent.savit", option, value);

    [Theory]
    [InlineData("--linear", "shift3", "dense, int8, shift, shift2, deepshift are allowed")]
    [InlineData("--linear", "SHIFT", "dense, int8, shift, shift2, deepshift are allowed")]
    [InlineData("--method", "best", "nearest, gptq are allowed")]
    [InlineData("--calibrate-count", "0", "above 0")]
    public async Task Values_of_reparameterize_are_checked(string option, string value, string allowed) =>
        await Refuses(CommandLine.BadCommandLine, [$"{option} {value}: ", allowed], "reparameterize", "absent", "-o", "out", option, value);

    [Theory]
    [InlineData("needs --calibrate", "--method", "gptq")]
    [InlineData("are for --method gptq", "--calibrate", "images")]
    [InlineData("are for --method gptq", "--calibrate-count", "4")]
    [InlineData("--linear dense", "--method", "gptq", "--calibrate", "images", "--linear", "dense")]
    public async Task Options_that_do_not_go_together_are_refused(string named, params string[] options) =>
        await Refuses(CommandLine.BadCommandLine, [named], ["reparameterize", Checkpoint(), "-o", Folder["out.savit"], .. options]);

    [Theory]
    [InlineData("--mean", "0.5,0.5,0.5")]
    [InlineData("--std", "0.5,0.5,0.5")]
    public async Task Mean_and_std_go_together(string option, string value) =>
        await Refuses(CommandLine.BadCommandLine, ["--mean and --std go together"], "run", Checkpoint(), Image(), option, value);

    [Theory]
    [InlineData("--arch", "deit_tiny_patch16_224")]
    [InlineData("--heads", "2")]
    [InlineData("--crop", "48")]
    public async Task Options_of_checkpoints_are_refused_for_packed_models(string option, string value)
    {
        var (model, image) = (Packed(), Image());
        foreach (var args in (string[][])[
            ["run", model, image], ["inspect", model], ["bench", model], ["tune", model], ["eval", model, "--data", "d"],
            ["compare", model, model, "--image", image],
            ["reparameterize", model, "-o", Folder["out.savit"]]])
            await Refuses(CommandLine.BadCommandLine, [option, model, "packed"], [.. args, option, value]);
    }
}
