namespace ShiftAddVit.Imaging;

/// <summary>One-line errors: who, what is wrong, what is allowed.</summary>
static class Messages
{
    public static ShiftAddVitException Error(string name, string wrong, string allowed, Exception? inner = null)
    {
        var line = OneLine($"{name}: {wrong}; {allowed}");
        return inner is null ? new(line) : new(line, inner);
    }

    /// <summary>libvips reports one line for each layer it passed; the last says what happened.</summary>
    public static string Reason(Exception e)
    {
        var lines = e.Message.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return lines.Length == 0 ? "unknown error" : string.Join(", ", lines.Length > 1 ? lines[1..] : lines);
    }

    // Names of files may hold line breaks and escape sequences of a terminal.
    static string OneLine(string text) => string.Create(text.Length, text, static (line, text) =>
    {
        for (var i = 0; i < line.Length; i++) line[i] = char.IsControl(text[i]) ? ' ' : text[i];
    });
}
