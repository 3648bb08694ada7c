using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Tests.InstructionSets;

/// <summary>What the runtime offers to this process, and what a test process was promised that it would be.</summary>
public static class InstructionSet
{
    /// <summary>Names what a test process must find; set, the process is the child of a test.</summary>
    public const string ExpectedVariable = "SHIFTADD_TEST_INSTRUCTIONS";

    static readonly (string Name, bool IsOffered)[] Known =
    [
        ("Avx512F", Avx512F.IsSupported), ("Vbmi", Avx512Vbmi.IsSupported), ("Vbmi2", Avx512Vbmi2.IsSupported), ("AvxVnni", AvxVnni.IsSupported),
        ("Avx2", Avx2.IsSupported),
        ("Dp", Dp.IsSupported), ("Vector512", Vector512.IsHardwareAccelerated), ("Vector256", Vector256.IsHardwareAccelerated),
    ];

    /// <summary>The names of those offered.</summary>
    public static string[] Offered { get; } = [.. Known.Where(it => it.IsOffered).Select(it => it.Name)];

    /// <summary>What this process was started to find; null in a process that no test started.</summary>
    public static string? Expected => Environment.GetEnvironmentVariable(ExpectedVariable);
}

/// <summary>Made before the first test: no test of a capped process passes unless the cap took effect.</summary>
public sealed class CapTookEffect
{
    public CapTookEffect()
    {
        if (InstructionSet.Expected is { } expected) Assert.Equal(expected, string.Join(' ', InstructionSet.Offered));
    }
}
