using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Kernels;

public class KernelNameTests
{
    static readonly KernelName Example =
        new(Operation.MatShift, NumberType.U8, NumberType.P4P4, NumberType.I32, 6, 32, KernelIsa.Vector512);

    [Fact]
    public void A_name_is_written_by_the_grammar() => Assert.Equal("MatShift_U8P4P4I32_6x32_Vector512", Example.ToString());

    [Fact]
    public void A_schedule_follows_where_a_name_needs_one() =>
        Assert.Equal("MatShift_U8P4P4I32_6x32_Vector512_LookUp", (Example with { Schedule = KernelSchedule.LookUp }).ToString());

    [Fact]
    public void Accumulators_have_the_bytes_that_the_name_says()
    {
        Assert.True(KernelName.TryParse("MatShift_U8P5I64_6x32_Avx512Vnni", out var wide));
        Assert.Equal((NumberType.P5, NumberType.I64, sizeof(long), sizeof(int)), (wide.B, wide.Acc, wide.AccumulatorBytes, Example.AccumulatorBytes));
    }

    [Fact]
    public void Every_name_reads_back()
    {
        foreach (var op in Enum.GetValues<Operation>())
            foreach (var weights in Enum.GetValues<NumberType>())
                foreach (var isa in Enum.GetValues<KernelIsa>())
                    foreach (var schedule in Enum.GetValues<KernelSchedule>())
                    {
                        var name = Example with { Op = op, B = weights, Isa = isa, Schedule = schedule };
                        Assert.True(KernelName.TryParse(name.ToString(), out var read));
                        Assert.Equal(name, read);
                    }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("MatShift")]
    [InlineData("MatShift_U8P4I32_6x32")]
    [InlineData("MatShift_U8P4I32_6x32_Vector512_")]
    [InlineData("matshift_U8P4I32_6x32_Vector512")]
    [InlineData("0_U8P4I32_6x32_Vector512")]
    [InlineData("MatShift_U8P4_6x32_Vector512")]
    [InlineData("MatShift_U8P4I32F32_6x32_Vector512")]
    [InlineData("MatShift_U8P4I32_06x32_Vector512")]
    [InlineData("MatShift_U8P4I32_0x32_Vector512")]
    [InlineData("MatShift_U8P4I32_6x_Vector512")]
    [InlineData("MatShift_U8P4I32_6x32_3")]
    [InlineData("MatShift_U8P4I32_6x32_Vector512_Default")]
    [InlineData("MatShift_U8P4I32_6x32_Vector512_shift")]
    [InlineData("MatShift_U8P4I32_6x32_Vector512_Shift_LookUp")]
    public void Anything_else_is_refused(string? text) => Assert.False(KernelName.TryParse(text, out _));
}
