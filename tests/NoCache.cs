using System.Runtime.CompilerServices;

namespace ShiftAddVit.Tests;

/// <summary>What was tuned on this machine has no say in the tests, nor have the tests in it; child processes inherit that.</summary>
static class NoCache
{
    [ModuleInitializer]
    internal static void Set() => Environment.SetEnvironmentVariable("SHIFTADD_CACHE", "none");
}
