using System.CommandLine;
using ShiftAddVit.Cli.Output;

namespace ShiftAddVit.Cli.Verbs;

/// <summary><c>shiftadd completion</c>: a script that makes a shell complete the command. It asks the command itself what fits.</summary>
static class CompletionVerb
{
    static readonly Dictionary<string, string> Scripts = new()
    {
        ["bash"] = """
            _shiftadd() {
              local IFS=$'\n' found
              found=$(shiftadd "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)
              COMPREPLY=($(compgen -o default -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _shiftadd shiftadd
            """,
        ["zsh"] = """
            _shiftadd() {
              local -a words_found
              words_found=("${(@f)$(shiftadd "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
              compadd -a words_found
              _files
            }
            compdef _shiftadd shiftadd
            """,
        ["fish"] = """
            complete -c shiftadd -a '(shiftadd "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'
            """,
        ["pwsh"] = """
            Register-ArgumentCompleter -Native -CommandName shiftadd -ScriptBlock {
              param($word, $line, $position)
              shiftadd "[suggest:$position]" "$line" | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
            }
            """,
    };

    public static Command Create(CommandConsole console)
    {
        var shell = new Argument<string>("SHELL") { Description = "The shell to complete for" };
        shell.CompletionSources.Add([.. Scripts.Keys]);
        shell.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !Scripts.ContainsKey(result.Tokens[0].Value))
                result.AddError($"SHELL {result.Tokens[0].Value}: {string.Join(", ", Scripts.Keys)} are allowed");
        });
        var command = new ExampleCommand(
            "completion", "Print a script that completes shiftadd in a shell", "shiftadd completion bash >> ~/.bashrc") { shell };
        command.SetAction(parsed =>
        {
            console.WriteLine(Scripts[parsed.GetRequiredValue(shell)]);
            return CommandLine.Success;
        });
        return command;
    }
}
