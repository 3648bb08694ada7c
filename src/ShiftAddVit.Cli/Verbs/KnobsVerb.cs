using System.CommandLine;
using ShiftAddVit.Cli.Options;
using ShiftAddVit.Cli.Output;
using Spectre.Console;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd knobs</c>: the environment variables.</summary>
static class KnobsVerb
{
    public static Command Create(CommandConsole console)
    {
        var json = CommonOptions.Json();
        var command =
            new ExampleCommand("knobs", "List the environment variables that change how the library works", "shiftadd knobs") { json };
        command.SetAction(parsed =>
        {
            var rows = Rows();
            if (parsed.GetValue(json)) console.WriteJson(new(rows), ResultJson.Default.KnobsResult);
            else Print(console, rows);
            return CommandLine.Success;
        });
        return command;
    }

    public static KnobRow[] Rows() =>
        [.. Knobs.All.Select(knob => new KnobRow(knob.Name, knob.Value, knob.Default, knob.Allowed, knob.Purpose))];

    static void Print(CommandConsole console, KnobRow[] rows)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("variable", "set to", "default", "allowed", "purpose");
        foreach (var row in rows)
            table.AddRow(
                row.Name, Markup.Escape(row.Value ?? "-"), Markup.Escape(row.Default is "" ? "-" : row.Default),
                Markup.Escape(row.Allowed), Markup.Escape(row.Purpose));
        console.Write(table);
    }
}
