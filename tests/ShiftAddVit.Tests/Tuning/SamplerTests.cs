using System.Diagnostics;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class SamplerTests
{
    [Fact]
    public void What_is_short_is_called_several_times_for_a_sample()
    {
        var calls = 0;
        var sampler = new Sampler(() => calls++);
        var time = sampler.Sample();
        Assert.InRange(sampler.Calls, 100, calls - 2);
        Assert.Equal(sampler.Spent.TotalMicroseconds, time * sampler.Calls, 1e-6);
        var before = (calls, sampler.Calls, sampler.Spent);
        sampler.Sample();
        Assert.True(sampler.Calls > before.Item2 && sampler.Spent > before.Spent && calls >= before.calls + sampler.Calls - before.Item2);
    }

    [Fact]
    public void What_is_long_is_called_once_for_a_sample_after_a_call_that_does_not_count()
    {
        var calls = 0;
        var sampler = new Sampler(() =>
        {
            calls++;
            var started = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromMilliseconds(51)) { }
        });
        Assert.InRange(sampler.Sample(), 51_000, double.MaxValue);
        Assert.Equal((2, 1), (calls, sampler.Calls));
        sampler.Sample();
        Assert.Equal((3, 2), (calls, sampler.Calls));
    }
}
