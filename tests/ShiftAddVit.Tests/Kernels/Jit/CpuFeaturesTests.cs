using System.Runtime.Intrinsics.X86;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Tests.InstructionSets;

namespace ShiftAddVit.Tests.Kernels.Jit;

public class CpuFeaturesTests
{
    [Fact]
    public void Asked_directly_the_processor_says_what_the_runtime_says_of_it()
    {
        Assert.SkipWhen(InstructionSet.Expected is not null, "the runtime's answer is switched off");
        Assert.SkipWhen(ExecutableMemory.Refusal is not null, "asking takes generated code");
        Assert.Equal(Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported, CpuFeatures.ProcessorHasAvx512());
    }

    [Fact]
    public void Where_the_runtime_compiles_code_its_switches_hold() => Assert.Equal(
        Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported, CpuFeatures.Avx512);
}
