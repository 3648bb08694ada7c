using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using ShiftAddVit.Cli.Output;
using ShiftAddVit.Cli.Verbs;

namespace ShiftAddVit.Cli;

/// <summary>The <c>shiftadd</c> command: parses, runs a verb, and turns what happens into one line and an exit code.</summary>
public static class CommandLine
{
    /// <summary>All went well.</summary>
    public const int Success = 0;

    /// <summary>An input cannot be used.</summary>
    public const int BadInput = 1;

    /// <summary>The command line is wrong.</summary>
    public const int BadCommandLine = 2;

    /// <summary>Ended by Ctrl-C.</summary>
    public const int Cancelled = 130;

    /// <summary>How long a command may take from Ctrl-C to its next look at the token; then it ends where it is.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Runs a command line.</summary>
    /// <param name="args">The words after the program's name.</param>
    /// <param name="output">Where results go.</param>
    /// <param name="error">Where messages and progress go.</param>
    /// <param name="cancellation">Ends the command as Ctrl-C does.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken cancellation = default)
    {
        var console = new CommandConsole(output, error);
        // A file whose name begins with @ is a file, not a list of more words.
        var parsed = CreateRoot(console).Parse(args, new() { ResponseFileTokenReplacer = null });
        if (Misunderstood(parsed) is { } problem) return Refuse(console, parsed, problem);
        try
        {
            var configuration = new InvocationConfiguration
            {
                Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Patience,
            };
            return await parsed.InvokeAsync(configuration, cancellation);
        }
        catch (OperationCanceledException)
        {
            return Cancelled;
        }
        catch (Exception failure)
        {
            console.Error(OneLine(failure));
            return failure is UsageException ? BadCommandLine : BadInput;
        }
        finally
        {
            console.FinishFile();
        }
    }

    static RootCommand CreateRoot(CommandConsole console)
    {
        var root = new RootCommand(
            "Turns a pre-trained vision transformer into one of shifts and adds, and runs, measures and explains the result.")
        {
            InspectVerb.Create(console),
            ReparameterizeVerb.Create(console),
            CompareVerb.Create(console),
            RunVerb.Create(console),
            EvalVerb.Create(console),
            BenchVerb.Create(console),
            KernelsVerb.Create(console),
            TuneVerb.Create(console),
            DoctorVerb.Create(console),
            KnobsVerb.Create(console),
        };
        root.Subcommands.Add(CompletionVerb.Create(console));
        HelpWithExample.AddTo(root);
        return root;
    }

    /// <summary>What is wrong with the command line, the most telling first; null when it can be run.</summary>
    static string? Misunderstood(ParseResult parsed)
    {
        if (parsed.Action is not ParseErrorAction && parsed.Action != parsed.CommandResult.Command.Action) return null;
        if (UnknownOption(parsed) is { } option) return $"{option}: no such option";
        if (parsed.Errors.Count == 0) return null;
        if (parsed.CommandResult.Command is not RootCommand) return Describe(parsed, parsed.Errors[0]);
        return parsed.UnmatchedTokens is [var verb, ..] ? $"{verb}: no such command" : "a command is needed";
    }

    static string Describe(ParseResult parsed, ParseError error)
    {
        var verb = parsed.CommandResult.Command.Name;
        return error.SymbolResult switch
        {
            ArgumentResult { Tokens.Count: 0, Parent: CommandResult } argument => $"{verb}: {argument.Argument.Name} is missing",
            OptionResult { IdentifierToken: null } option => $"{verb}: {option.Option.Name} is missing",
            OptionResult { Tokens.Count: 0 } option => $"{option.IdentifierToken.Value}: a value is missing",
            CommandResult when parsed.UnmatchedTokens is [var word, ..] => $"{verb}: {word} is one argument too many",
            _ => error.Message.TrimEnd('.'),
        };
    }

    /// <summary>A word with a dash in the place of a file; one after <c>--</c> is a file.</summary>
    static string? UnknownOption(ParseResult parsed)
    {
        var files = parsed.Tokens.SkipWhile(token => token.Type != TokenType.DoubleDash).ToHashSet(ReferenceEqualityComparer.Instance);
        var words = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Where(token => !files.Contains(token));
        return words.Select(token => token.Value).Concat(files.Count == 0 ? parsed.UnmatchedTokens : [])
            .FirstOrDefault(word => word.Length > 1 && word[0] == '-');
    }

    static int Refuse(CommandConsole console, ParseResult parsed, string problem)
    {
        var verb = parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
        console.Error($"{OneLine(problem)} (see shiftadd {verb}--help)");
        return BadCommandLine;
    }

    /// <summary>What to tell the user: never more than a line, never a stack trace.</summary>
    static string OneLine(Exception failure)
    {
        var cause = failure is AggregateException { InnerException: { } inner } ? inner : failure;
        return cause switch
        {
            ShiftAddVitException or UsageException => OneLine(cause.Message),
            OutOfMemoryException => "not enough memory",
            IOException or UnauthorizedAccessException => OneLine(cause.Message),
            _ => OneLine($"internal error, please report it: {cause.GetType().Name}: {cause.Message}"),
        };
    }

    static string OneLine(string message) =>
        string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
