using System.Diagnostics;

namespace ShiftAddVit.Cli.Output;

/// <summary>
/// Progress with the time left: on a terminal one line that is rewritten, elsewhere a line now and then. Short work shows nothing.
/// Thread-safe.
/// </summary>
/// <param name="console">Where to show it.</param>
/// <param name="what">What is being done.</param>
/// <param name="total">How many items there are.</param>
sealed class ProgressLine(CommandConsole console, string what, int total) : IProgress<int>, IDisposable
{
    static readonly TimeSpan TerminalInterval = TimeSpan.FromSeconds(0.2);
    static readonly TimeSpan LogInterval = TimeSpan.FromSeconds(10);

    readonly Lock _lock = new();
    readonly long _started = Stopwatch.GetTimestamp();
    TimeSpan _next = console.IsErrorTerminal ? TimeSpan.FromSeconds(0.5) : LogInterval;
    int _shown;

    /// <summary>Says that so many items are done.</summary>
    public void Report(int done)
    {
        lock (_lock)
        {
            var elapsed = Stopwatch.GetElapsedTime(_started);
            if (elapsed < _next || done <= 0 || done >= total) return;
            _next = elapsed + (console.IsErrorTerminal ? TerminalInterval : LogInterval);
            var left = elapsed / done * (total - done);
            Show($"{what} {done}/{total}, {Describe(left)} left");
        }
    }

    /// <summary>The same line for work that reports something from which the number of items done can be told.</summary>
    public IProgress<T> Of<T>(Func<T, int> done) => new Adapter<T>(this, done);

    /// <summary>Clears the line.</summary>
    public void Dispose()
    {
        if (console.IsErrorTerminal && _shown > 0) console.Status('\r' + new string(' ', _shown) + '\r');
    }

    void Show(string text)
    {
        console.Status(console.IsErrorTerminal ? '\r' + text.PadRight(_shown) : text + Environment.NewLine);
        _shown = text.Length;
    }

    static string Describe(TimeSpan time) =>
        time.TotalSeconds < 90 ? $"{Math.Ceiling(time.TotalSeconds)} s" : $"{Math.Ceiling(time.TotalMinutes)} min";

    sealed class Adapter<T>(ProgressLine line, Func<T, int> done) : IProgress<T>
    {
        public void Report(T value) => line.Report(done(value));
    }
}
