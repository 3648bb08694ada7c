using System.Collections.Immutable;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>
/// What measured times hold for: another processor, version or list of kernels makes them stale, and so does a kernel that could not run then
/// and can now (executable memory, instructions that the runtime was told not to use, native code).
/// </summary>
/// <param name="Cpu">The processor, <see cref="Processor.Name"/>.</param>
/// <param name="Version">The library's version.</param>
/// <param name="Kernels">The first digits of the SHA-256 of every kernel's name and schedule.</param>
/// <param name="Missing">Names of the kernels that cannot run here, whatever the knobs allow.</param>
sealed record TuningOrigin(string Cpu, string Version, string Kernels, ImmutableArray<string> Missing)
{
    const int Digits = 16;

    /// <summary>This process.</summary>
    public static TuningOrigin Of(KernelRegistry registry) => new(
        Processor.Name, LibraryVersion, Fingerprint(registry),
        [.. registry.Kernels.Where(kernel => kernel.Missing is not null).Select(kernel => $"{kernel.Name}")]);

    /// <summary>Why times of this origin say nothing here; null where they do.</summary>
    public string? Stale(TuningOrigin here) =>
        Cpu != here.Cpu ? $"made on {ErrorText.Quote(Cpu)}, this is {here.Cpu}"
        : Version != here.Version ? $"made by version {ErrorText.Quote(Version)}, this is {here.Version}"
        : Kernels != here.Kernels ? "made for other kernels"
        : Missing.Except(here.Missing).FirstOrDefault() is { } name ? $"made without {ErrorText.Quote(name)}, which can run now"
        : null;

    /// <summary>Without the commit that follows a plus sign: whether kernels changed their names or schedules is seen in their list.</summary>
    public static string LibraryVersion { get; } =
        typeof(TuningOrigin).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    static string Fingerprint(KernelRegistry registry)
    {
        var list = string.Join('\n', registry.Kernels.Select(kernel => $"{kernel.Name} {kernel.Schedule}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(list)))[..Digits];
    }
}
