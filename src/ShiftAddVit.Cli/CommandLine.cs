using System.CommandLine;
using System.CommandLine.Invocation;
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

    /// <summary>Runs a command line.</summary>
    /// <param name="args">The words after the program's name.</param>
    /// <param name="output">Where results go.</param>
    /// <param name="error">Where messages and progress go.</param>
    /// <param name="cancellation">Ends the command as Ctrl-C does.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, CancellationToken cancellation = default)
    {
        var console = new CommandConsole(output, error);
        var parsed = CreateRoot(console).Parse(args);
        if (parsed.Action is ParseErrorAction) return Refuse(console, parsed);
        try
        {
            // A verb ends at its next look at the token, its files complete or absent; no time limit cuts it off before.
            var configuration = new InvocationConfiguration
            {
                Output = output, Error = error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Timeout.InfiniteTimeSpan,
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
    }

    static RootCommand CreateRoot(CommandConsole console)
    {
        var root = new RootCommand("Turns a pre-trained vision transformer into one of shifts and adds, and runs, measures and explains the result.")
        {
            InspectVerb.Create(console),
            ReparameterizeVerb.Create(console),
            CompareVerb.Create(console),
            RunVerb.Create(console),
            EvalVerb.Create(console),
            BenchVerb.Create(console),
            DoctorVerb.Create(console),
            KnobsVerb.Create(console),
        };
        root.Subcommands.Add(CompletionVerb.Create(console));
        HelpWithExample.AddTo(root);
        return root;
    }

    static int Refuse(CommandConsole console, ParseResult parsed)
    {
        var names = new List<string>();
        for (var symbol = parsed.CommandResult; symbol is not null; symbol = symbol.Parent as System.CommandLine.Parsing.CommandResult)
            if (symbol.Command is not RootCommand) names.Insert(0, symbol.Command.Name);
        console.Error(OneLine(parsed.Errors[0].Message) + $" (see shiftadd {string.Join(' ', names.Append("--help"))})");
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

    static string OneLine(string message) => string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
