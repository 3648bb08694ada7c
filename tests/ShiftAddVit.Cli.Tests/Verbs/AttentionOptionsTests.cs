using System.Text.Json;

namespace ShiftAddVit.Cli.Tests.Verbs;

/// <summary>What <c>reparameterize</c> makes of its options for attention, on a model with heads of 10 channels.</summary>
public class AttentionOptionsTests : CommandTests
{
    Task<CommandResult> Reparameterize(params string[] options) => Run(["reparameterize", Packed(), "-o", Folder["out.savit"], .. options]);

    [Theory]
    [InlineData("quadratic", "quadratic sign 10 key-bias code-scales", 2)]
    [InlineData("taylor", "taylor sign 10 key-bias code-scales conv", 1)]
    [InlineData("angular", "angular quant 10 conv", 1)]
    [InlineData("ecoformer", "ecoformer ksh 16", 1)]
    public async Task A_form_has_its_own_codes_and_extras(string kind, string form, int blocks)
    {
        var result = await Reparameterize("--attention", kind, "--linear", "shift", "--json");
        Assert.Equal(CommandLine.Success, result.ExitCode);
        var changes = result.Json.GetProperty("changes").EnumerateArray().Where(change => change.GetProperty("from").GetString() == "softmax").ToArray();
        Assert.Equal(blocks, changes.Length);
        Assert.All(changes, change => Assert.Equal(form, change.GetProperty("to").GetString()));
        Assert.Contains("warning: binary attention without --calibrate DIR", result.Error, StringComparison.Ordinal);
        var model = (await Run("inspect", Folder["out.savit"], "--json")).Succeeded().Json.GetProperty("model");
        Assert.Equal($"blocks.1: {form}", Child(model, 2).GetProperty("name").GetString());
    }

    [Fact]
    public async Task Extras_can_be_left_out_and_hashes_have_any_length()
    {
        await Reparameterize("--attention", "taylor", "--codes", "quant", "--no-key-bias", "--no-code-scales", "--no-conv");
        Assert.Contains("blocks.1: taylor quant 10\n", (await Run("inspect", Folder["out.savit"])).Output.Replace("  ", "\n", StringComparison.Ordinal), StringComparison.Ordinal);
        await Reparameterize("--attention", "angular", "--codes", "ksh", "--code-bits", "24");
        Assert.Contains("blocks.1: angular ksh 24 conv", (await Run("inspect", Folder["out.savit"])).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Layers_are_selected_by_name()
    {
        await Reparameterize("--attention", "taylor", "--linear", "shift", "--only", "blocks.0.attn", "--only", "fc?", "--except", "blocks.1.*");
        var steps = (await Run("inspect", Folder["out.savit"], "--json")).Json.GetProperty("steps").EnumerateArray().Select(step => $"{step}").ToArray();
        Assert.Contains(steps, step => step.EndsWith("1 of 2 blocks", StringComparison.Ordinal));
        var lines = (await Run("inspect", Folder["out.savit"])).Lines;
        string Format(string layer) => lines.First(line => line.Contains($" {layer} ", StringComparison.Ordinal));
        Assert.Contains(" P4 ", Format("mlp.fc1"), StringComparison.Ordinal);
        Assert.DoesNotContain(" P4 ", Format("attn.qkv"), StringComparison.Ordinal);
        Assert.DoesNotContain(lines.SkipWhile(line => !line.Contains("blocks.1", StringComparison.Ordinal)), line => line.Contains(" P4 ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--codes is for --attention quadratic, taylor, angular, ecoformer", "--codes", "sign")]
    [InlineData("--no-key-bias is for --attention", "--no-key-bias")]
    [InlineData("--code-bits is for --attention", "--attention", "softmax", "--code-bits", "16")]
    [InlineData("--attention cosine: softmax, quadratic, taylor, angular, ecoformer are allowed", "--attention", "cosine")]
    [InlineData("--codes ternary: sign, quant, ksh are allowed", "--attention", "taylor", "--codes", "ternary")]
    public async Task Options_without_meaning_are_refused(string named, params string[] options) =>
        await Refuses(CommandLine.BadCommandLine, [named], ["reparameterize", Packed(), "-o", Folder["out.savit"], .. options]);

    [Theory]
    [InlineData("quadratic attention with codes ksh; it takes sign and quant", "--attention", "quadratic", "--codes", "ksh")]
    [InlineData("codes of 16 bits for heads of 10 channels; allowed: 10", "--attention", "taylor", "--code-bits", "16")]
    [InlineData("hashes of 65 bits; allowed: 1..64", "--attention", "ecoformer", "--code-bits", "65")]
    [InlineData("no layer blocks.7.attn; allowed: names as blocks.0.attn", "--attention", "taylor", "--only", "blocks.7.attn")]
    [InlineData("no block is selected for Taylor attention", "--attention", "taylor", "--only", "fc1")]
    [InlineData("no layer fc3", "--except", "fc3")]
    public async Task Forms_that_do_not_fit_the_model_are_refused(string named, params string[] options) =>
        await Refuses(CommandLine.BadInput, [named], ["reparameterize", Packed(), "-o", Folder["out.savit"], .. options]);

    static JsonElement Child(JsonElement node, int index) => node.GetProperty("children").EnumerateArray().ElementAt(index);
}
