using System.Runtime.InteropServices;
using ShiftAddVit.Tests.InstructionSets;
using ShiftAddVit.Tests.Kernels.Jit;

[assembly: AssemblyFixture(typeof(CapTookEffect))]

namespace ShiftAddVit.Tests.InstructionSets;

/// <summary>
/// The whole suite on a processor that has less than this one: in processes of their own, with instruction sets switched off in the runtime.
/// A process checks first that the switch took effect, because names of switches change and an unknown name is silently ignored.
/// </summary>
public class InstructionSetTests
{
    static readonly string[] Features = ["-class", typeof(CpuFeaturesTests).FullName!];

    /// <summary>What is left of everything; "EnableAVX512F", which older runtimes knew, does nothing.</summary>
    public static TheoryData<string, string> Switches => new()
    {
        { "EnableAVX512F", "Avx512F Vbmi Vbmi2 AvxVnni Avx2 Vector512 Vector256" },
        { "EnableAVX512", "AvxVnni Avx2 Vector256" },
        { "EnableAVX512v2", "Avx512F AvxVnni Avx2 Vector512 Vector256" },
        { "EnableAVX512v3", "Avx512F Vbmi AvxVnni Avx2 Vector512 Vector256" },
        { "EnableAVXVNNI", "Avx512F Vbmi Vbmi2 Avx2 Vector512 Vector256" },
        { "EnableAVX2", "" },
        { "EnableHWIntrinsic", "" },
    };

    static IEnumerable<string> Left(string of) => InstructionSet.Offered.Intersect(of.Split(' '));

    static void RequireParent() => Assert.SkipWhen(InstructionSet.Expected is not null, "this is the process of another test");

    static void RequireX64() =>
        Assert.SkipUnless(RuntimeInformation.ProcessArchitecture == Architecture.X64, "the switches are those of x86-64");

    [Theory, MemberData(nameof(Switches))]
    public async Task A_switch_of_the_runtime_leaves_what_the_table_says(string off, string left)
    {
        RequireParent();
        RequireX64();
        var (exitCode, output) = await TestProcess.Run(off, Left(left), Features);
        Assert.True(exitCode == 0, output);
    }

    [Fact]
    public async Task A_process_whose_cap_took_no_effect_fails()
    {
        RequireParent();
        var (exitCode, output) = await TestProcess.Run("EnableNothing", ["Everything"], Features);
        Assert.NotEqual(0, exitCode);
        Assert.Contains("Everything", output, StringComparison.Ordinal);
    }

    /// <summary>
    /// Without any instruction set the reference is chosen. Left out there are the suites of integer kernels, many shapes for each of many kernels:
    /// vectors emulated by scalar code take minutes for them, no session would choose those kernels, and the other process runs the same C#. So are
    /// choices between kernels, of which one is left.
    /// </summary>
    [Theory]
    [InlineData("EnableAVX512", "AvxVnni Avx2 Vector256")]
    [InlineData("EnableHWIntrinsic", "", "Suites.IntegerKernelTests", "Suites.LinearKernelTests", "Suites.HeadQuantizationTests",
        "Tuning.TunerTests", "Tuning.TunedChoicesTests")]
    public async Task The_suite_passes_with_fewer_instructions(string off, string left, params string[] without)
    {
        RequireParent();
        RequireX64();
        Assert.SkipUnless(Left(left).Count() < InstructionSet.Offered.Length, "this processor has no more than that");
        string[] rest = [.. without.Prepend("InstructionSets.*").SelectMany(tests => (string[])["-class-", $"ShiftAddVit.Tests.{tests}"])];
        var (exitCode, output) = await TestProcess.Run(off, Left(left), rest);
        Assert.True(exitCode == 0, output);
        Assert.Matches("Total: [1-9][0-9]+, Errors: 0, Failed: 0", output);
    }
}
