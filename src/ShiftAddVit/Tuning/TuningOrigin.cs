using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>What measured times hold for: another processor, version or list of kernels makes them stale.</summary>
/// <param name="Cpu">The processor, <see cref="Processor.Name"/>.</param>
/// <param name="Version">The library's version.</param>
/// <param name="Kernels">The first digits of the SHA-256 of every kernel's name and schedule.</param>
sealed record TuningOrigin(string Cpu, string Version, string Kernels)
{
    const int Digits = 16;

    /// <summary>This process.</summary>
    public static TuningOrigin Of(KernelRegistry registry) => new(Processor.Name, LibraryVersion, Fingerprint(registry));

    /// <summary>Without the commit that follows a plus sign: whether kernels changed their names or schedules is seen in their list.</summary>
    public static string LibraryVersion { get; } =
        typeof(TuningOrigin).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    static string Fingerprint(KernelRegistry registry)
    {
        var list = string.Join('\n', registry.Kernels.Select(kernel => $"{kernel.Name} {kernel.Schedule}"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(list)))[..Digits];
    }
}
