using System.CommandLine;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Cli.Options;

/// <summary>What <c>reparameterize</c> is told of attention, and which layers its passes change.</summary>
sealed class AttentionOptions
{
    readonly Option<string> _attention = CommonOptions.Choice(
        "--attention", "Attention of the blocks: softmax, or binary queries and keys (quadratic), also linear in the tokens (taylor, angular, ecoformer)",
        "softmax", [.. Names<AttentionKind>()]);
    readonly Option<string> _codes = CommonOptions.Choice(
        "--codes", "Queries and keys as signs, as bits above a threshold, or hashed (default: what serves the form best)", "", [.. Names<CodeRule>()]);
    readonly Option<int?> _bits = CommonOptions.Positive("--code-bits", $"Bits of a hash (default: {AttentionForm.DefaultHashBits})", "N");
    readonly Option<bool> _noKeyBias = new("--no-key-bias") { Description = "Binary attention without a key bias" };
    readonly Option<bool> _noCodeScales = new("--no-code-scales") { Description = "Binary attention without the magnitudes of what was coded" };
    readonly Option<bool> _noConvolution = new("--no-conv") { Description = "Linear attention without a convolution of the values" };
    readonly Option<string[]> _only = CommonOptions.Files(
        "--only", "Change these only: layers by name or its end (blocks.3.attn, fc1), with * and ?; several times for several", "PATTERN");
    readonly Option<string[]> _except = CommonOptions.Files("--except", "Leave these as they are; linear attention leaves blocks.0.attn unless told otherwise", "PATTERN");

    Option[] Extras => [_codes, _bits, _noKeyBias, _noCodeScales, _noConvolution];

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_attention, .. Extras, _only, _except]) command.Options.Add(option);
    }

    /// <summary>Whether queries and keys are to become codes.</summary>
    public bool IsBinary(ParseResult parsed) => Kind(parsed) != AttentionKind.Softmax;

    /// <summary>Refuses options that mean nothing without binary attention.</summary>
    public void RequireConsistent(ParseResult parsed)
    {
        if (IsBinary(parsed)) return;
        foreach (var option in Extras)
            if (parsed.GetResult(option) is { Implicit: false })
                throw new UsageException($"{option.Name} is for --attention {string.Join(", ", Names<AttentionKind>().Skip(1))}");
    }

    /// <summary>The form that is asked for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="headSize">D of the model.</param>
    public AttentionForm Form(ParseResult parsed, int headSize)
    {
        var codes = parsed.GetRequiredValue(_codes) is { Length: > 0 } name ? Enum.Parse<CodeRule>(name, ignoreCase: true) : (CodeRule?)null;
        var form = AttentionForm.Default(Kind(parsed), headSize, codes);
        return form with
        {
            CodeBits = parsed.GetValue(_bits) ?? form.CodeBits,
            KeyBias = form.KeyBias && !parsed.GetValue(_noKeyBias),
            CodeScales = form.CodeScales && !parsed.GetValue(_noCodeScales),
            Convolution = form.Convolution && !parsed.GetValue(_noConvolution),
        };
    }

    /// <summary>The layers that are to change; where none is named, the first block keeps its softmax beside linear attention.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="form">The attention asked for; null for passes over other layers.</param>
    public LayerSelection Selection(ParseResult parsed, AttentionForm? form = null)
    {
        var named = new LayerSelection([.. parsed.GetRequiredValue(_only)], [.. parsed.GetRequiredValue(_except)]);
        return form is not null && named.IsAll ? AttentionPass.DefaultSelection(form) : named;
    }

    AttentionKind Kind(ParseResult parsed) => Enum.Parse<AttentionKind>(parsed.GetRequiredValue(_attention), ignoreCase: true);

    static IEnumerable<string> Names<T>() where T : struct, Enum => Enum.GetNames<T>().Select(name => name.ToLowerInvariant());
}
