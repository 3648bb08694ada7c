using ShiftAddVit.Inference;
using ShiftAddVit.Models;
using ShiftAddVit.Reports;

namespace ShiftAddVit.Tests.Reports;

public class LatencyBenchmarkTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Cold_engines_take_turns_call_by_call()
    {
        var calls = new List<string>();
        var latencies = LatencyBenchmark.Run(
            [new Engine(() => calls.Add("a")), new Engine(() => calls.Add("b")), new Engine(() => calls.Add("c"))], TimeSpan.FromMilliseconds(20),
            cold: true, Cancellation);
        var rounds = calls.Chunk(3).Select(round => string.Concat(round)).ToArray();
        Assert.All(rounds, round => Assert.Equal("abc", round));
        // Three rounds of warm-up are not counted.
        Assert.Equal([rounds.Length - 3, rounds.Length - 3, rounds.Length - 3], latencies.Select(latency => latency.Calls));
        Assert.True(rounds.Length > 4, $"{rounds.Length} rounds");
    }

    [Fact]
    public void A_turn_is_many_short_calls_of_which_the_first_is_not_counted()
    {
        var calls = new List<char>();
        var latencies = LatencyBenchmark.Run([new Engine(() => calls.Add('a')), new Engine(() => calls.Add('b'))], TimeSpan.Zero, cancellation: Cancellation);
        // A round of warm-up, then a turn each.
        Assert.Equal("ab", string.Concat(calls[..2]));
        Assert.Equal("ab", string.Concat(calls[2..].Where((call, i) => i == 0 || call != calls[i + 1])));
        Assert.Equal(['a', 'b'], calls[2..].Distinct());
        Assert.Equal([calls.Count(call => call == 'a') - 2, calls.Count(call => call == 'b') - 2], latencies.Select(latency => latency.Calls));
        Assert.All(latencies, latency => Assert.True(latency.Calls > 10));
    }

    [Fact]
    public void A_turn_is_a_long_call_after_one_that_is_not_counted()
    {
        var calls = 0;
        var latencies = LatencyBenchmark.Run([new Engine(Slow), new Engine(Slow)], TimeSpan.Zero, cancellation: Cancellation);
        Assert.Equal(2 * 3, calls);
        Assert.All(latencies, latency => Assert.Equal(1, latency.Calls));

        void Slow()
        {
            calls++;
            Thread.Sleep(51);
        }
    }

    [Fact]
    public void Without_time_there_is_one_round_of_warm_up_and_one_that_counts()
    {
        var calls = 0;
        var latencies = LatencyBenchmark.Run([new Engine(() => calls++), new Engine(() => calls++)], TimeSpan.Zero, cold: true, Cancellation);
        Assert.Equal(4, calls);
        Assert.All(latencies, latency => Assert.Equal(1, latency.Calls));
    }

    [Fact]
    public void It_goes_on_as_long_as_it_is_told()
    {
        using var model = CompiledModel.Compile(TinyModels.Create());
        using var engine = new SessionEngine(model, "tiny", LatencyBenchmark.RandomImages(model.Architecture, 2), 2, 2);
        var latency = LatencyBenchmark.Run([engine], TimeSpan.FromMilliseconds(50), cancellation: Cancellation).Single();
        Assert.True(latency.Calls > 1 && latency.Calls * latency.MaxMs >= 45, $"{latency}");
        Assert.True(latency.MinMs > 0 && latency.MinMs <= latency.MedianMs && latency.MedianMs <= latency.MaxMs, $"{latency}");
    }

    [Fact]
    public void It_can_be_cancelled_before_each_call()
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var second = 0;
        Assert.Throws<OperationCanceledException>(
            () => LatencyBenchmark.Run([new Engine(source.Cancel), new Engine(() => second++)], TimeSpan.FromHours(1), cancellation: source.Token));
        Assert.Equal(0, second);
    }

    [Fact]
    public void An_engine_is_needed() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => LatencyBenchmark.Run([], TimeSpan.Zero, cancellation: Cancellation));

    [Fact]
    public void The_session_engine_gives_what_the_session_gives()
    {
        using var model = CompiledModel.Compile(TinyModels.Create());
        var images = LatencyBenchmark.RandomImages(model.Architecture, 2);
        using var engine = new SessionEngine(model, "tiny", images, 2, 1);
        engine.Run();
        using var session = model.CreateSession(new() { MaxBatch = 2 });
        Assert.Equal(session.Run(images, 2), engine.Logits.ToArray());
        Assert.Equal(("shiftadd", "tiny"), (engine.Name, engine.Model));
    }

    [Fact]
    public void Images_are_never_zeros()
    {
        var images = LatencyBenchmark.RandomImages(TinyModels.Architecture, 2);
        Assert.Equal(2 * VitArchitecture.Channels * 24 * 24, images.Length);
        Assert.All(images, value => Assert.InRange(value, -2, 2));
        Assert.True(images.Distinct().Count() > images.Length * 0.99);
    }

    [Theory]
    [InlineData(new[] { 3.0 }, 3, 3, 3, 0)]
    [InlineData(new[] { 6.0, 2 }, 4, 2, 6, 0.5)]
    [InlineData(new[] { 10.0, 30, 90, 50, 40 }, 40, 10, 90, 0.5)]
    public void Times_are_summed_up(double[] times, double median, double min, double max, double spread) =>
        Assert.Equal(new(median, min, max, spread, times.Length), Latency.Of(times));

    [Fact]
    public void Logits_differ_by_their_largest_distance()
    {
        var difference = LogitDifference.Between([1, -3, 5], [0.5f, -3, 7]);
        Assert.Equal((2, 8, 0.25), (difference.Largest, difference.Range, difference.Share));
        Assert.Null(LogitDifference.Between([2, 2], [2, 3]).Share);
        Assert.Throws<ArgumentException>(() => LogitDifference.Between([1, 2], [1]));
    }

    sealed class Engine(Action run) : IBenchmarkEngine
    {
        public string Name => "test";

        public string Model => "none";

        public ReadOnlySpan<float> Logits => default;

        public void Run() => run();

        public void Dispose() { }
    }
}
