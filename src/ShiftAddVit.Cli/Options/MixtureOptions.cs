using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Cli.Options;

/// <summary>The options of <c>reparameterize</c> that make mixtures of multiplication primitives.</summary>
sealed class MixtureOptions
{
    static readonly Dictionary<string, MixtureScope> Scopes = new()
    {
        ["qkv"] = MixtureScope.Qkv, ["q+k+v"] = MixtureScope.QueriesKeysValues, ["proj"] = MixtureScope.Projection, ["fc1"] = MixtureScope.Fc1,
        ["fc2"] = MixtureScope.Fc2, ["mlp"] = MixtureScope.Mlp,
    };

    readonly IReadOnlyDictionary<string, WeightFormat> _formats;
    readonly Option<string> _scopes = new("--moe")
    {
        Description = "Layers of which each token takes one of several experts: qkv, q+k+v (one choice each), proj, fc1, fc2, mlp (as a whole)",
        HelpName = "SCOPE,SCOPE...",
    };
    readonly Option<string> _experts = new("--experts") { HelpName = "FORMAT,FORMAT..." };
    readonly Option<double?> _share = new("--moe-share")
    {
        Description = "Send so much of the tokens, 0 to 1, to the last expert, those that lose least by it: needs --calibrate", HelpName = "S",
    };

    public MixtureOptions(IReadOnlyDictionary<string, WeightFormat> formats)
    {
        _formats = formats;
        _experts.Description =
            $"Experts of --moe, the one that keeps the model as it is first: {string.Join(", ", formats.Keys)} (default: dense,shift)";
        _experts.DefaultValueFactory = _ => "dense,shift";
        Complete(_scopes, Scopes.Keys);
        Complete(_experts, formats.Keys);
        _scopes.Validators.Add(result => RequireWords("--moe", result, Scopes.Keys));
        _experts.Validators.Add(result => RequireWords("--experts", result, formats.Keys));
        _share.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0) return;
            if (!double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var share) || share is not (> 0 and < 1))
                result.AddError($"--moe-share {result.Tokens[0].Value}: a number between 0 and 1 is needed");
        });
    }

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_scopes, _experts, _share]) command.Options.Add(option);
    }

    /// <summary>Whether routers are calibrated.</summary>
    public bool Calibrates(ParseResult parsed) => parsed.GetValue(_share) is not null;

    /// <summary>Refuses what does not go together, before any work.</summary>
    public void RequireConsistent(ParseResult parsed, bool calibrates)
    {
        if (parsed.GetValue(_scopes) is not { } given)
        {
            foreach (var option in (Option[])[_experts, _share])
                if (parsed.GetResult(option) is { Implicit: false })
                    throw new UsageException($"{option.Name} is for --moe; allowed with it: {string.Join(", ", Scopes.Keys)}");
            return;
        }
        var scopes = Words(given);
        if (scopes.Contains("qkv") && scopes.Contains("q+k+v"))
            throw new UsageException($"--moe {given}: qkv and q+k+v exclude each other; one of them is allowed");
        if (scopes.Contains("mlp") && (scopes.Contains("fc1") || scopes.Contains("fc2")))
            throw new UsageException($"--moe {given}: mlp and its layers exclude each other; mlp, or fc1 and fc2, are allowed");
        var experts = Words(parsed.GetRequiredValue(_experts));
        if (experts.Length is < 2 or > BlockForm.MaxExperts)
            throw new UsageException($"--experts {string.Join(',', experts)}: {experts.Length} experts; 2 to {BlockForm.MaxExperts} are allowed");
        if (Calibrates(parsed) && !calibrates) throw new UsageException("--moe-share needs --calibrate DIR, a folder of sample images");
    }

    /// <summary>Makes the mixtures, sets their routers, and warns that nothing was trained; nothing where no mixtures are asked for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="graph">The dense model.</param>
    /// <param name="calibrate">Sets the routers for a share.</param>
    /// <param name="console">Where the warning goes.</param>
    public PassResult Apply(ParseResult parsed, VitGraph graph, Func<VitGraph, double, PassResult> calibrate, CommandConsole console)
    {
        if (parsed.GetValue(_scopes) is not { } scopes) return new(graph, []);
        var names = Words(parsed.GetRequiredValue(_experts));
        var mixed = MixturePass.Apply(graph, [.. Words(scopes).Select(scope => Scopes[scope])], [.. names.Select(name => _formats[name])]);
        if (parsed.GetValue(_share) is not { } share)
        {
            console.Warn($"--moe: the routers are not trained: 100 % of the tokens go to {names[0]}, the first expert, and 0 % to the others");
            return mixed;
        }
        var calibrated = calibrate(mixed.Graph, share);
        console.Warn(string.Create(
            CultureInfo.InvariantCulture,
            $"--moe: the routers are not trained: set from sample images to send {100 * share:0.#} % of the tokens to {names[^1]}, the last expert, "
            + $"and {100 - 100 * share:0.#} % to {names[0]}, the first"));
        return new(calibrated.Graph, [.. mixed.Changes, .. calibrated.Changes]);
    }

    /// <summary>Whether an expert's weights are shifts.</summary>
    public bool Shifts(ParseResult parsed) =>
        parsed.GetValue(_scopes) is not null
        && Words(parsed.GetRequiredValue(_experts)).Any(name => _formats[name] is not (WeightFormat.F32 or WeightFormat.S8));

    static string[] Words(string list) => list.Split(',');

    static void Complete(Option option, IEnumerable<string> words) => option.CompletionSources.Add([.. words]);

    static void RequireWords(string option, System.CommandLine.Parsing.OptionResult result, IEnumerable<string> words)
    {
        if (result.Tokens.Count == 0) return;
        var (text, given) = (result.Tokens[0].Value, Words(result.Tokens[0].Value));
        if (given.FirstOrDefault(word => !words.Contains(word)) is { } unknown)
        {
            var what = unknown.Length == 0 ? "word between commas" : unknown;
            result.AddError($"{option} {text}: no {what}; {string.Join(", ", words)} are allowed, separated by commas");
        }
        else if (option == "--moe" && given.Distinct().Count() < given.Length)
            result.AddError($"{option} {text}: names a layer twice; once is allowed");
    }
}
