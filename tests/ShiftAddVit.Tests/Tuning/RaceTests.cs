using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class RaceTests
{
    const int MaxRounds = 200, Qualifying = 5;
    static readonly TimeSpan Long = TimeSpan.FromMinutes(1);

    static double[] Run(FakeTimer timer, int count, TimeSpan duration) => Race.Run(timer, count, duration, CancellationToken.None);

    [Fact]
    public void A_disturbance_now_and_then_does_not_count()
    {
        using var timer = new FakeTimer((candidate, sample) => candidate == 0 && sample % 2 == 0 ? 1000 : 10 + candidate);
        Assert.Equal([10, 11], Run(timer, 2, Long));
    }

    [Fact]
    public void Nor_does_a_lucky_sample()
    {
        using var timer = new FakeTimer((candidate, sample) => candidate == 1 && sample == 100 ? 1 : 10 + candidate);
        Assert.Equal([10, 11], Run(timer, 2, Long));
    }

    [Fact]
    public void Candidates_are_timed_in_turns()
    {
        var order = new List<int>();
        using var timer = new FakeTimer((candidate, _) => { order.Add(candidate); return 1; });
        Run(timer, 3, TimeSpan.Zero);
        Assert.Equal(Enumerable.Range(0, 3 * Qualifying).Select(i => i % 3), order);
    }

    [Fact]
    public void What_is_hopeless_leaves_and_keeps_its_time()
    {
        using var timer = new FakeTimer((candidate, _) => candidate == 1 ? 16 : 10);
        Assert.Equal([10, 16, 10], Run(timer, 3, Long));
        Assert.Equal((MaxRounds, Qualifying, MaxRounds), (timer.Samples(0), timer.Samples(1), timer.Samples(2)));
    }

    [Fact]
    public void What_is_beyond_hope_is_timed_twice()
    {
        using var timer = new FakeTimer((candidate, sample) => candidate == 1 ? 101 + sample : 10);
        Assert.Equal([10, 101], Run(timer, 2, Long));
        Assert.Equal(2, timer.Samples(1));
    }

    [Fact]
    public void No_time_still_gives_every_candidate_a_few_samples()
    {
        using var timer = new FakeTimer((_, _) => 1);
        Run(timer, 2, TimeSpan.Zero);
        Assert.Equal((Qualifying, Qualifying), (timer.Samples(0), timer.Samples(1)));
    }

    [Fact]
    public void It_can_be_cancelled_between_samples()
    {
        using var cancellation = new CancellationTokenSource();
        using var timer = new FakeTimer((_, sample) => { if (sample == 2) cancellation.Cancel(); return 1; });
        Assert.Throws<OperationCanceledException>(() => Race.Run(timer, 1, Long, cancellation.Token));
        Assert.Equal(3, timer.Samples(0));
    }
}
