using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class KernelBenchmarkTests
{
    static readonly KernelRegistry Registry = new(KernelIsa.Avx512Vnni);

    public static TheoryData<string> Names => [.. Registry.Kernels.Where(kernel => kernel.CanRun).Select(kernel => $"{kernel.Name}")];

    static KernelTrial Trial(string name, MatrixShape shape) => KernelTrial.Create(Registry, Named(name), shape);

    static KernelName Named(string name) => KernelName.TryParse(name, out var parsed) ? parsed : throw new FormatException(name);

    [Theory, MemberData(nameof(Names))]
    public void Every_kernel_can_be_timed_and_is_correct(string name)
    {
        using var trial = Trial(name, new(17, 40, 70));
        var timing = Assert.Single(KernelBenchmark.Run([trial], TimeSpan.Zero, TestContext.Current.CancellationToken));
        Assert.Equal((trial.Kernel, trial.Shape, true), (timing.Kernel, timing.Shape, timing.IsCorrect));
        Assert.InRange(timing.MinMs, 1e-9, timing.MedianMs);
        Assert.Equal(17 * 40 * 70 / timing.MinMs / 1e6, timing.GigaOperationsPerSecond, 1e-9);
    }

    [Theory, MemberData(nameof(Names))]
    public void A_result_that_was_not_computed_is_not_correct(string name)
    {
        using var trial = Trial(name, new(3, 40, 5));
        Assert.False(trial.IsCorrect());
        trial.Run();
        Assert.True(trial.IsCorrect());
    }

    [Fact]
    public void Kernels_of_the_same_types_get_the_same_operands()
    {
        var name = Named("MatShift_U8P4I32_1x1_Reference");
        var (one, same, other) = (TrialData.Random(name, new(3, 4, 5), 1), TrialData.Random(name, new(3, 4, 5), 1), TrialData.Random(name, new(3, 4, 5), 2));
        Assert.Equal(one.ActivationRows, same.ActivationRows);
        Assert.Equal(one.WeightRows, same.WeightRows);
        Assert.NotEqual(one.ActivationRows, other.ActivationRows);
        Assert.NotEqual(one.WeightRows, other.WeightRows);
    }

    [Fact]
    public void Candidates_are_called_in_turn_until_each_had_its_time()
    {
        using var one = Trial("MatMul_U8S8I32_1x1_Reference", new(8, 64, 64));
        using var other = Trial("MatShift_U8P4I32_1x1_Reference", new(8, 64, 64));
        var timings = KernelBenchmark.Run([one, other], TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
        Assert.Equal([one.Kernel, other.Kernel], timings.Select(timing => timing.Kernel));
        Assert.All(timings, timing => Assert.InRange(timing.Calls, 2, int.MaxValue));
    }

    [Fact]
    public void The_peak_is_above_what_kernels_reach()
    {
        var peak = MachinePeak.Measure();
        Assert.SkipWhen(peak.MultiplyAdds is null, "there is no generated code for AVX-512 here");
        Assert.InRange(peak.MultiplyAdds!.Value, 1, 1000);
        Assert.Equal(peak.MultiplyAdds, peak.Of(Named("FakeShift_F32P4F32_1x1_Reference")));
        Assert.Equal(peak.ByteProducts, peak.Of(Named("MatShift_U8P4P4I32_1x1_Reference")));
        Assert.Null(peak.Of(Named("MatDistance_U8S8I32_1x1_Reference")));
        Assert.Null(peak.Of(Named("MatMul_B1B1I32_1x1_Reference")));
    }

    [Fact]
    public void Timing_can_be_ended()
    {
        using var trial = Trial("MatMul_U8S8I32_1x1_Reference", new(1, 1, 1));
        Assert.Throws<OperationCanceledException>(() => { KernelBenchmark.Run([trial], TimeSpan.FromHours(1), new(canceled: true)); });
    }

    [Fact]
    public void A_kernel_that_no_registry_has_is_refused() => Assert.Throws<ArgumentException>(() =>
        KernelTrial.Create(Registry, new(Operation.MatMul, NumberType.U8, NumberType.P4, NumberType.I32, 1, 1, KernelIsa.Reference), new(1, 1, 1)));
}
