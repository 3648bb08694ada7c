using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tests.Kernels;

public class ThreadTeamTests
{
    sealed class Work(Action<int, int> execute) : IParallelWork
    {
        public void Execute(int part, int thread) => execute(part, thread);
    }

    sealed class Counters(int parts) : IParallelWork
    {
        public int[] Runs { get; } = new int[parts];

        public void Execute(int part, int thread) => Interlocked.Increment(ref Runs[part]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Every_part_runs_once_in_each_of_many_runs(int threads)
    {
        using var team = new ThreadTeam(threads);
        for (var run = 0; run < 2000; run++)
        {
            var work = new Counters(run % 17);
            team.Run(work, run % 17);
            Assert.Equal(-1, work.Runs.AsSpan().IndexOfAnyExcept(1));
        }
    }

    [Fact]
    public void Sleeping_threads_wake_up()
    {
        using var team = new ThreadTeam(2);
        for (var run = 0; run < 5; run++)
        {
            Thread.Sleep(20);
            using var meeting = new Barrier(2);
            team.Run(new Work((_, _) => Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(30)))), 2);
        }
    }

    [Fact]
    public void Parts_that_run_at_the_same_time_are_told_different_threads()
    {
        using var team = new ThreadTeam(3);
        using var meeting = new Barrier(3);
        var threads = new int[3];
        team.Run(new Work((part, thread) =>
        {
            threads[part] = thread;
            Assert.True(meeting.SignalAndWait(TimeSpan.FromSeconds(30)));
        }), 3);
        Assert.Equal([0, 1, 2], threads.Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void The_first_exception_reaches_the_caller_and_the_team_lives_on(int threads)
    {
        using var team = new ThreadTeam(threads);
        var error = Assert.Throws<ArithmeticException>(() => team.Run(new Work((part, _) =>
        {
            if (part == 5) throw new ArithmeticException("part 5");
        }), 100));
        Assert.Equal("part 5", error.Message);
        var work = new Counters(50);
        team.Run(work, 50);
        Assert.Equal(-1, work.Runs.AsSpan().IndexOfAnyExcept(1));
    }

    [Fact]
    public void When_a_run_fails_no_part_is_still_running()
    {
        using var team = new ThreadTeam(4);
        var running = 0;
        var work = new Work((part, _) =>
        {
            Interlocked.Increment(ref running);
            Thread.SpinWait(2000);
            Interlocked.Decrement(ref running);
            if (part == 3) throw new ArithmeticException();
        });
        for (var run = 0; run < 50; run++)
        {
            Assert.Throws<ArithmeticException>(() => team.Run(work, 40));
            Assert.Equal(0, Volatile.Read(ref running));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_part_can_not_start_a_run(int threads)
    {
        using var team = new ThreadTeam(threads);
        Assert.Throws<InvalidOperationException>(() => team.Run(new Work((_, _) => team.Run(new Counters(2), 2)), 4));
    }

    [Fact]
    public void A_disposed_team_refuses_work()
    {
        var team = new ThreadTeam(3);
        team.Dispose();
        team.Dispose();
        Assert.Throws<ObjectDisposedException>(() => team.Run(new Counters(1), 1));
    }

    [Fact]
    public void A_team_has_at_least_one_thread() => Assert.Throws<ArgumentOutOfRangeException>(() => new ThreadTeam(0));
}
