using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Inference;

/// <summary>What allocates nothing, on any thread of the process: so nothing else may run meanwhile.</summary>
[Collection(nameof(AllocationTests))]
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public class AllocationTests
{
    /// <summary>Of several measurements the smallest: threads that other tests left behind may allocate, but not each time.</summary>
    const int Measurements = 10;

    static long Allocated(Action run)
    {
        // Warm threads, and code that is compiled at its first calls.
        for (var i = 0; i < 3; i++) run();
        return Enumerable.Range(0, Measurements).Min(_ =>
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            run();
            return GC.GetTotalAllocatedBytes(precise: true) - before;
        });
    }

    public static TheoryData<string, WeightFormat, bool, int> Cases =>
    [
        .. from name in TinyModels.Architectures.Keys
           from format in (WeightFormat[])[WeightFormat.F32, WeightFormat.S8, WeightFormat.P4]
           from exact in (bool[])[false, true]
           from threads in (int[])[1, 2]
           where format != WeightFormat.F32 || exact
           select (name, format, exact, threads),
    ];

    [Theory, MemberData(nameof(Cases))]
    public void A_run_of_a_session_allocates_nothing(string name, WeightFormat format, bool exact, int threads)
    {
        var architecture = TinyModels.Architectures[name] with { DistillationToken = true };
        using var model = CompiledModel.Compile(LinearPass.Apply(TinyModels.Create(architecture), format).Graph, new() { Exact = exact });
        using var session = model.CreateSession(new() { MaxBatch = 2, Threads = threads });
        var (images, logits) = (TinyModels.Images(architecture, 2), new float[2 * architecture.Classes]);
        Assert.Equal(0, Allocated(() => session.Run(images, 2, logits)));
    }

    sealed class Nothing : IParallelWork
    {
        public void Execute(int part, int thread) { }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void A_run_of_a_team_allocates_nothing(int threads)
    {
        using var team = new ThreadTeam(threads);
        var work = new Nothing();
        Assert.Equal(0, Allocated(() => team.Run(work, 64)));
    }

    [Fact]
    public void What_another_thread_allocates_is_counted()
    {
        using var team = new ThreadTeam(2);
        var work = new Allocating();
        Assert.InRange(Allocated(() => team.Run(work, 64)), 1, long.MaxValue);
    }

    /// <summary>On every thread but the calling one.</summary>
    sealed class Allocating : IParallelWork
    {
        readonly int _caller = Environment.CurrentManagedThreadId;
        object? _last;

        public void Execute(int part, int thread)
        {
            if (Environment.CurrentManagedThreadId == _caller) Thread.Sleep(1);
            else _last = new byte[100];
        }
    }
}
