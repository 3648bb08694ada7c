using System.Collections.Immutable;
using System.Globalization;

namespace ShiftAddVit;

/// <summary>One environment variable that the library reads.</summary>
/// <param name="Name">The variable.</param>
/// <param name="Allowed">The values it takes, as a user would be told.</param>
/// <param name="Default">What holds when it is unset or empty.</param>
/// <param name="Purpose">One sentence: what it is for.</param>
public sealed record Knob(string Name, string Allowed, string Default, string Purpose)
{
    /// <summary>The value set in this process's environment, trimmed; null when unset or blank.</summary>
    public string? Value => Environment.GetEnvironmentVariable(Name)?.Trim() is { Length: > 0 } value ? value : null;

    internal ShiftAddVitException Refuse(string value) => new($"{Name}={value}: not allowed; {Allowed}");
}

/// <summary>Every environment variable that the library reads, and its value. Nothing else in the library reads the environment.</summary>
public static class Knobs
{
    /// <summary>The names that <see cref="MaxIsa"/> can take, narrowest first.</summary>
    internal static ImmutableArray<string> IsaNames { get; } =
        ["reference", "vector128", "advsimddp", "vector256", "avx2", "avxvnni", "vector512", "avx512", "avx512vnni"];

    /// <summary>The most threads that commands take.</summary>
    public const int MaxThreads = 1024;

    static readonly Knob MaxIsaKnob = new("SHIFTADD_MAX_ISA", string.Join('|', IsaNames), "avx512vnni",
        "Caps the instruction sets that kernels are chosen from.");

    static readonly Knob KernelKnob = new("SHIFTADD_KERNEL", "names of registered kernels, separated by commas", "",
        "Forces each named kernel for its operation and weight format.");

    static readonly Knob ThreadsKnob = new("SHIFTADD_THREADS", $"1 to {MaxThreads}", "one a processor",
        "The number of threads that commands use unless told otherwise.");

    static readonly Knob DumpKnob = new("SHIFTADD_DUMP_CODE", "a folder", "",
        "Writes generated machine code there, one file a function, for a disassembler.");

    static readonly Knob CacheKnob = new("SHIFTADD_CACHE", $"a folder, or {NoCache}", "the user's cache directory",
        "Where what tuning found is kept and read; with none, nothing is.");

    const string NoCache = "none";

    /// <summary>All of them, in the order of the documentation.</summary>
    public static ImmutableArray<Knob> All { get; } = [MaxIsaKnob, KernelKnob, ThreadsKnob, DumpKnob, CacheKnob];

    /// <summary>The widest instruction set kernels may use: one of <see cref="IsaNames"/>.</summary>
    /// <exception cref="ShiftAddVitException">The variable holds anything else.</exception>
    public static string MaxIsa
    {
        get
        {
            var value = MaxIsaKnob.Value ?? MaxIsaKnob.Default;
            return IsaNames.Contains(value) ? value : throw MaxIsaKnob.Refuse(value);
        }
    }

    /// <summary>The names of the kernels to force; the registry checks them.</summary>
    public static ImmutableArray<string> ForcedKernels =>
        [.. (KernelKnob.Value ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    /// <summary>The folder that generated code is written to; null for none.</summary>
    public static string? DumpCode => DumpKnob.Value;

    /// <summary>The folder that tuned choices are kept in; null for none, and where the user has no cache directory.</summary>
    public static string? CacheFolder => CacheKnob.Value switch
    {
        NoCache => null,
        { } folder => folder,
        null => UserCache is { } cache ? Path.Combine(cache, "shiftadd") : null,
    };

    /// <summary>The number of threads that commands use by default.</summary>
    /// <exception cref="ShiftAddVitException">The variable does not hold a whole number from 1 to <see cref="MaxThreads"/>.</exception>
    public static int Threads
    {
        get
        {
            if (ThreadsKnob.Value is not { } value) return Environment.ProcessorCount;
            var isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var threads);
            return isNumber && threads is >= 1 and <= MaxThreads ? threads : throw ThreadsKnob.Refuse(value);
        }
    }

    /// <summary>Where the system wants caches; elsewhere than on Windows and macOS as the XDG specification says.</summary>
    static string? UserCache =>
        OperatingSystem.IsWindows() ? Below(Environment.SpecialFolder.LocalApplicationData)
        : OperatingSystem.IsMacOS() ? Below(Environment.SpecialFolder.UserProfile, "Library", "Caches")
        : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { } xdg && Path.IsPathRooted(xdg) ? xdg
        : Below(Environment.SpecialFolder.UserProfile, ".cache");

    static string? Below(Environment.SpecialFolder folder, params string[] names) =>
        Environment.GetFolderPath(folder) is { Length: > 0 } path ? Path.Combine([path, .. names]) : null;
}
