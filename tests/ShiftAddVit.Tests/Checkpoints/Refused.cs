using ShiftAddVit.Checkpoints;

namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>What every refusal must look like: one line that names the file and the words expected of it.</summary>
static class Refused
{
    public static void By(string path, Action action, params string[] words)
    {
        var message = Assert.Throws<ShiftAddVitException>(action).Message;
        Assert.DoesNotContain('\n', message);
        Assert.Contains(path, message, StringComparison.Ordinal);
        Assert.All(words, word => Assert.Contains(word, message, StringComparison.Ordinal));
        Assert.InRange(message.Length, 1, 4000);
    }

    /// <summary>Writes the bytes to a file; opening it must fail.</summary>
    public static void ToOpen(ReadOnlySpan<byte> bytes, params string[] words)
    {
        using var directory = new TempDirectory();
        var path = directory.Write("weights.bin", bytes);
        By(path, () => Checkpoint.Open(path).Dispose(), words);
    }
}
