using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace ShiftAddVit.Cli.Options;

/// <summary>Options that several verbs share.</summary>
static class CommonOptions
{
    /// <summary>Prints the result as JSON.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Print the result as JSON" };

    /// <summary>A file or folder that is named by its place.</summary>
    public static Argument<string> File(string name, string description)
    {
        var argument = new Argument<string>(name) { Description = description };
        argument.Validators.Add(result => RequireNamed(result, name));
        return argument;
    }

    /// <summary>A file or folder that is named by an option.</summary>
    public static Option<string> File(string name, string description, string helpName, bool required = false)
    {
        var option = new Option<string>(name) { Description = description, HelpName = helpName, Required = required };
        option.Validators.Add(result => RequireNamed(result, name));
        return option;
    }

    /// <summary>Refuses an empty path, which a script makes of a variable that is not set.</summary>
    public static void RequireNamed(SymbolResult result, string name)
    {
        if (result.Tokens.Any(token => token.Value.Length == 0)) result.AddError($"{name}: is empty; the path of a file is needed");
    }

    /// <summary>One of a few words.</summary>
    public static Option<string> Choice(string name, string description, string standard, params string[] words)
    {
        var option = new Option<string>(name) { Description = description, DefaultValueFactory = _ => standard };
        option.CompletionSources.Add(words);
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !words.Contains(result.Tokens[0].Value))
                result.AddError($"{name} {result.Tokens[0].Value}: {string.Join(", ", words)} are allowed");
        });
        return option;
    }

    /// <summary>Number of threads.</summary>
    public static Option<int?> Threads()
    {
        var option = new Option<int?>("--threads")
        {
            Description = "Threads to use (default: SHIFTADD_THREADS, else one a processor)", HelpName = "T",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 0) return;
            if (!int.TryParse(result.Tokens[0].Value, out var threads) || threads is < 1 or > Knobs.MaxThreads)
                result.AddError($"--threads {result.Tokens[0].Value}: 1 to {Knobs.MaxThreads} is allowed");
        });
        return option;
    }

    /// <summary>The number of threads asked for, or the default.</summary>
    public static int ThreadsOrDefault(int? threads) => threads ?? Knobs.Threads;

    /// <summary>A whole number above 0.</summary>
    public static Option<int?> Positive(string name, string description, string helpName)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = helpName };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !(int.TryParse(result.Tokens[0].Value, out var value) && value > 0))
                result.AddError($"{name} {result.Tokens[0].Value}: a whole number above 0 is needed");
        });
        return option;
    }

    /// <summary>A number of percent.</summary>
    public static Option<double?> Percent(string name, string description)
    {
        var option = new Option<double?>(name) { Description = description, HelpName = "PERCENT" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !(double.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= 1000))
                result.AddError($"{name} {result.Tokens[0].Value}: 0 to 1000 percent are allowed");
        });
        return option;
    }

    /// <summary>Whole numbers above 0 separated by commas.</summary>
    public static Option<int[]> List(string name, string description, int largest) => new(name)
    {
        Description = description,
        HelpName = "N,N...",
        DefaultValueFactory = _ => [1],
        CustomParser = result =>
        {
            var parts = result.Tokens[0].Value.Split(',');
            var values = parts.Select(part =>
                int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0).ToArray();
            if (values.All(value => value >= 1 && value <= largest)) return values;
            result.AddError($"{name} {result.Tokens[0].Value}: numbers from 1 to {largest} separated by commas are needed");
            return null;
        },
    };
}
