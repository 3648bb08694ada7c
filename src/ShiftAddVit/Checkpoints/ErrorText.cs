using System.Text;

namespace ShiftAddVit.Checkpoints;

/// <summary>Keeps messages that repeat what a file says to one line of bounded length.</summary>
static class ErrorText
{
    const int MaxName = 100;
    const int MaxItems = 10;

    /// <summary>A name from a file in quotes, without control characters, cut after 100 characters.</summary>
    public static string Quote(string name)
    {
        var text = new StringBuilder("'");
        foreach (var c in name.AsSpan(0, Math.Min(name.Length, MaxName)))
            text.Append(char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '?' : c);
        return text.Append(name.Length > MaxName ? "..." : "").Append('\'').ToString();
    }

    /// <summary>The first ten names in quotes, then how many more there are.</summary>
    public static string Names(IReadOnlyCollection<string> names) => List(names, Quote);

    /// <summary>The first ten items as <paramref name="describe"/> words them, then how many more there are.</summary>
    public static string List<T>(IReadOnlyCollection<T> items, Func<T, string> describe)
    {
        if (items.Count == 0) return "nothing";
        var more = items.Count > MaxItems ? $" and {items.Count - MaxItems} more" : "";
        return string.Join(", ", items.Take(MaxItems).Select(describe)) + more;
    }

    /// <summary>The first line of a message of the system.</summary>
    public static string FirstLine(string message) => message.Split('\r', '\n')[0];
}
