using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace ShiftAddVit.Cli.Output;

/// <summary>Where a verb writes: results to standard output, messages and progress to standard error.</summary>
sealed class CommandConsole
{
    /// <summary>Wide enough that a table is not folded when it goes to a file or a pipe.</summary>
    const int PipeWidth = 250;

    readonly TextWriter _output;
    readonly TextWriter _error;
    readonly bool _isTerminal;
    readonly HashSet<string> _warned = [];
    readonly Lock _file = new();

    public CommandConsole(TextWriter output, TextWriter error)
    {
        (_output, _error) = (output, error);
        IsErrorTerminal = ReferenceEquals(error, Console.Error) && !Console.IsErrorRedirected;
        _isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
    }

    /// <summary>Whether progress is watched as it goes.</summary>
    public bool IsErrorTerminal { get; }

    /// <summary>Writes a table or a tree; colours only on a terminal, elsewhere nothing but its text.</summary>
    public void Write(IRenderable renderable)
    {
        if (_isTerminal)
        {
            ToOutput(() => AnsiConsole.Write(renderable));
            return;
        }
        var text = new StringWriter();
        var plain = AnsiConsole.Create(
            new() { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors });
        plain.Profile.Width = PipeWidth;
        plain.Write(renderable);
        foreach (var line in $"{text}".Split('\n'))
            if (!string.IsNullOrWhiteSpace(line)) WriteLine(line.TrimEnd());
    }

    /// <summary>Writes one line; what a file's name or contents could say to a terminal is taken out.</summary>
    public void WriteLine(string text) => ToOutput(() => _output.WriteLine(Printable(text)));

    public void WriteJson<T>(T value, JsonTypeInfo<T> type) => ToOutput(() => _output.WriteLine(JsonSerializer.Serialize(value, type)));

    /// <summary>Writes to standard output, and names it where that fails.</summary>
    public static void ToOutput(Action write)
    {
        try
        {
            write();
        }
        catch (IOException failure)
        {
            throw new ShiftAddVitException($"standard output: {failure.Message}", failure);
        }
    }

    /// <summary>Writes a message; what a file's name or contents could say to a terminal is taken out.</summary>
    public void Error(string message) => _error.WriteLine($"shiftadd: {Printable(message)}");

    /// <summary>Says once what was passed over; the command goes on.</summary>
    public void Warn(string warning)
    {
        if (_warned.Add(warning)) Error($"warning: {warning}");
    }

    /// <summary>A text from a file or a file's name without control characters.</summary>
    static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    /// <summary>The same for a cell of a table, where it is text whatever it holds.</summary>
    public static string Cell(string text) => Markup.Escape(Printable(text));

    /// <summary>
    /// Does the work of a verb on a thread of its own: Ctrl-C is heard once a command waits for something, so whatever takes long goes
    /// through here.
    /// </summary>
    public static Task<int> Work(Func<int> work, CancellationToken cancellation) => Task.Run(work, cancellation);

    /// <summary>Writes a file unless the command was ended before; the end of the command waits for it.</summary>
    public void WriteFile(Action write, CancellationToken cancellation)
    {
        lock (_file)
        {
            cancellation.ThrowIfCancellationRequested();
            write();
        }
    }

    /// <summary>Returns when no file is being written.</summary>
    public void FinishFile()
    {
        lock (_file) { }
    }

    public void Status(string text)
    {
        _error.Write(text);
        _error.Flush();
    }
}
