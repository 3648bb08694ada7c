using System.Text.Json;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>
/// Tuned choices kept between processes, in one JSON file. A file that is damaged, of another machine or of another version is passed over
/// with a warning, never an error: choices only make a model faster. Writers replace the file as a whole, so that readers see all of one or
/// all of the other.
/// </summary>
/// <param name="folder">The folder of the file, made when it is written; null keeps nothing.</param>
public sealed class TuningCache(string? folder)
{
    /// <summary>The most that is read: ten thousand choices.</summary>
    internal const int MaxBytes = 1 << 20;

    const string FileName = "tuning.json";

    /// <summary>The cache of this user, where <see cref="Knobs.CacheFolder"/> says.</summary>
    public static TuningCache Default => new(Knobs.CacheFolder);

    /// <summary>The file; null where nothing is kept.</summary>
    public string? Path { get; } = folder is null ? null : System.IO.Path.GetFullPath(System.IO.Path.Combine(folder, FileName));

    /// <summary>The choices kept for this machine.</summary>
    /// <param name="registry">The kernels that may be chosen.</param>
    /// <param name="warning">Why the file is passed over, in one line; null where it is used or there is none.</param>
    public TunedChoices Read(KernelRegistry registry, out string? warning)
    {
        ArgumentNullException.ThrowIfNull(registry);
        warning = null;
        if (!File.Exists(Path)) return TunedChoices.None;
        try
        {
            var file = JsonSerializer.Deserialize(ReadBytes(Path), TuningJson.Default.TuningFile) ?? throw new JsonException();
            if (file.Origin.Stale(TuningOrigin.Of(registry)) is not { } stale) return file.Choices();
            warning = Warning(stale);
        }
        catch (Exception failure) when (failure is JsonException or IOException or UnauthorizedAccessException)
        {
            warning = Warning(failure is JsonException ? "damaged, or in an earlier form" : ErrorText.FirstLine(failure.Message));
        }
        return TunedChoices.None;
    }

    /// <summary>Adds choices to the file; what it says of other shapes stays if it is of this machine.</summary>
    /// <param name="registry">The kernels that were chosen from.</param>
    /// <param name="choices">What was found.</param>
    /// <exception cref="InvalidOperationException">Nothing is kept: <see cref="Path"/> is null.</exception>
    /// <exception cref="ShiftAddVitException">The file cannot be written.</exception>
    public void Write(KernelRegistry registry, TunedChoices choices)
    {
        ArgumentNullException.ThrowIfNull(choices);
        RequireWritable();
        var file = TuningFile.Of(TuningOrigin.Of(registry), Read(registry, out _).With(choices));
        AtomicFile.Write(Path!, stream => JsonSerializer.Serialize(stream, file, TuningJson.Default.TuningFile));
    }

    /// <summary>Checks before long work that the file can be written; makes its folder.</summary>
    /// <inheritdoc cref="Write"/>
    public void RequireWritable()
    {
        if (Path is null) throw new InvalidOperationException("this cache keeps nothing");
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ShiftAddVitException($"{Path}: its folder cannot be made: {ErrorText.FirstLine(failure.Message)}", failure);
        }
        AtomicFile.RequireWritable(Path);
    }

    string Warning(string why) => $"{Path}: tuned choices are not used: {why}; 'shiftadd tune' makes them anew";

    /// <summary>What somebody else may have put there can neither block nor fill the memory.</summary>
    static ReadOnlySpan<byte> ReadBytes(string path)
    {
        if (FileKind.IsSpecial(path)) throw new IOException("a pipe or a device, not a regular file");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (stream.Length > MaxBytes) throw new IOException($"larger than {MaxBytes} bytes");
        var bytes = new byte[stream.Length];
        return bytes.AsSpan(0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
    }
}
