using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;

namespace ShiftAddVit.Cli.Output;

/// <summary>Where a verb writes: results to standard output, messages and progress to standard error.</summary>
sealed class CommandConsole
{
    /// <summary>Wide enough that a table is not folded when it goes to a file or a pipe.</summary>
    const int PipeWidth = 200;

    readonly TextWriter _output;
    readonly TextWriter _error;

    public CommandConsole(TextWriter output, TextWriter error)
    {
        (_output, _error) = (output, error);
        IsErrorTerminal = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;
        var isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        Pretty = new(() =>
        {
            var console = AnsiConsole.Create(new()
            {
                Out = new AnsiConsoleOutput(output),
                Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
                ColorSystem = isTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
                Interactive = InteractionSupport.No,
            });
            if (!isTerminal) console.Profile.Width = PipeWidth;
            return console;
        });
    }

    /// <summary>Whether progress is watched as it goes.</summary>
    public bool IsErrorTerminal { get; }

    /// <summary>Standard output with tables and trees; colours only on a terminal.</summary>
    Lazy<IAnsiConsole> Pretty { get; }

    public void Write(Spectre.Console.Rendering.IRenderable renderable)
    {
        Pretty.Value.Write(renderable);
        _output.Flush();
    }

    public void WriteLine(string text = "") => _output.WriteLine(text);

    public void WriteJson<T>(T value, JsonTypeInfo<T> type) => _output.WriteLine(JsonSerializer.Serialize(value, type));

    public void Error(string message) => _error.WriteLine($"shiftadd: {message}");

    public void Status(string text)
    {
        _error.Write(text);
        _error.Flush();
    }
}
