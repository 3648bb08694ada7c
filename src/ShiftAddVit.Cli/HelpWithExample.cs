using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using ShiftAddVit.Cli.Output;

namespace ShiftAddVit.Cli;

/// <summary>A verb whose help ends with an example.</summary>
/// <param name="name">The verb.</param>
/// <param name="description">What it does.</param>
/// <param name="example">A command line that works as it stands, given the files it names.</param>
sealed class ExampleCommand(string name, string description, string example) : Command(name, description)
{
    public string Example { get; } = example;
}

/// <summary>The usual help of a command, then its example.</summary>
sealed class HelpWithExample(HelpAction help) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public static void AddTo(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        option.Action = new HelpWithExample((HelpAction)option.Action!);
    }

    public override int Invoke(ParseResult parseResult)
    {
        CommandConsole.ToOutput(() => help.Invoke(parseResult));
        var output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is ExampleCommand { Example: var example })
            CommandConsole.ToOutput(() => output.WriteLine($"Example:{Environment.NewLine}  {example}"));
        return CommandLine.Success;
    }
}
