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
    public void Where_the_runtime_compiles_code_its_switches_hold()
    {
        Assert.Equal(Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported, CpuFeatures.Avx512);
        Assert.Equal(Avx512Vbmi.IsSupported, CpuFeatures.Avx512Vbmi);
        Assert.Equal(AvxVnni.IsSupported, CpuFeatures.AvxVnni);
    }

    /// <summary>VNNI and VPOPCNTD have no property of the runtime, but share a switch with VBMI2.</summary>
    [Fact]
    public void What_is_switched_off_with_its_group_is_off()
    {
        Assert.SkipWhen(Avx512Vbmi2.IsSupported || !X86Base.IsSupported || (X86Base.CpuId(7, 0).Ecx & 1 << 6) == 0, "VBMI2 is not switched off");
        Assert.False(CpuFeatures.Avx512Vnni || CpuFeatures.Avx512Popcount);
    }
}
