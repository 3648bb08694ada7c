using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace ShiftAddVit.Kernels;

/// <summary>Work cut into parts that may run at the same time, in any order.</summary>
public interface IParallelWork
{
    /// <summary>Runs one part.</summary>
    /// <param name="part">Which part, 0..parts-1.</param>
    /// <param name="thread">Which of the team's threads this is, 0..threads-1: parts that run at the same time get different ones.</param>
    void Execute(int part, int thread);
}

/// <summary>
/// A fixed set of threads: the caller and <see cref="Threads"/> - 1 background threads, which spin briefly between runs and then sleep.
/// A run hands out parts one by one, so that a slow thread takes fewer; it allocates nothing and does not wait for threads that are
/// still asleep when all parts are done. One run at a time.
/// </summary>
public sealed class ThreadTeam : IDisposable
{
    /// <summary>How long an idle thread spins before it sleeps: longer than the gaps between the layers of a model.</summary>
    internal const int SpinMicroseconds = 50;

    static readonly long SpinTicks = Stopwatch.Frequency * SpinMicroseconds / 1_000_000;

    readonly Thread[] _workers;
    readonly object _sleep = new();
    IParallelWork? _work;
    Exception? _failure;
    int _parts;

    /// <summary>Parts not yet handed out; negative once all are.</summary>
    int _remaining;

    /// <summary>Parts not yet finished.</summary>
    int _unfinished;
    int _generation;
    int _sleepers;
    int _running;
    volatile bool _stopping;

    /// <summary>Starts the team.</summary>
    /// <param name="threads">How many threads work, the caller of <see cref="Run"/> included; 1 starts none.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="threads"/> is below 1.</exception>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Thread[threads - 1];
        try
        {
            for (var i = 0; i < _workers.Length; i++) _workers[i] = StartWorker(i + 1);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>How many threads work, the caller of <see cref="Run"/> included.</summary>
    public int Threads { get; }

    /// <summary>Runs all parts and returns when all have ended. After a part throws, no further part starts.</summary>
    /// <param name="work">What to run.</param>
    /// <param name="parts">How many parts; 0 does nothing.</param>
    /// <exception cref="InvalidOperationException">A run is under way, for instance because a part called this method.</exception>
    /// <exception cref="ObjectDisposedException">The team was disposed.</exception>
    /// <exception cref="Exception">The first exception that a part threw.</exception>
    public void Run(IParallelWork work, int parts)
    {
        ArgumentNullException.ThrowIfNull(work);
        ArgumentOutOfRangeException.ThrowIfNegative(parts);
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (Interlocked.Exchange(ref _running, 1) != 0) throw new InvalidOperationException("a thread team runs one work at a time");
        try
        {
            if (_workers.Length == 0 || parts <= 1) RunInline(work, parts);
            else RunShared(work, parts);
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>Ends and joins the threads. Not to be called during a run.</summary>
    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        Wake();
        // Where a thread could not be started, it and those after it are null.
        foreach (var worker in _workers) worker?.Join();
    }

    Thread StartWorker(int thread)
    {
        var worker = new Thread(() => Serve(thread)) { IsBackground = true, Name = $"ShiftAddVit {thread}" };
        worker.Start();
        return worker;
    }

    static void RunInline(IParallelWork work, int parts)
    {
        for (var part = 0; part < parts; part++) work.Execute(part, 0);
    }

    void RunShared(IParallelWork work, int parts)
    {
        (_work, _parts, _failure, _unfinished) = (work, parts, null, parts);
        Volatile.Write(ref _remaining, parts);
        Wake();
        Drain(thread: 0);
        var wait = new SpinWait();
        while (Volatile.Read(ref _unfinished) != 0) wait.SpinOnce(sleep1Threshold: -1);
        _work = null;
        if (_failure is { } failure) ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>
    /// Takes parts until none is left. Whoever takes a part sees the run it belongs to: the run can not end, nor the next begin, before
    /// that part is finished. A thread that wakes late takes none, or parts of the run then under way.
    /// </summary>
    void Drain(int thread)
    {
        for (int left; (left = Interlocked.Decrement(ref _remaining)) >= 0; Interlocked.Decrement(ref _unfinished))
        {
            if (Volatile.Read(ref _failure) is not null) continue;
            try
            {
                _work!.Execute(_parts - 1 - left, thread);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref _failure, exception, null);
            }
        }
    }

    void Serve(int thread)
    {
        for (var seen = 0; !_stopping;)
        {
            seen = AwaitChange(seen);
            Drain(thread);
        }
    }

    int AwaitChange(int seen)
    {
        var start = Stopwatch.GetTimestamp();
        do
        {
            if (Volatile.Read(ref _generation) != seen) return Volatile.Read(ref _generation);
            Thread.SpinWait(16);
        }
        while (Stopwatch.GetTimestamp() - start < SpinTicks);
        return Sleep(seen);
    }

    /// <summary>The sleeper counts itself before it looks again, the waker changes the generation before it looks for sleepers.</summary>
    int Sleep(int seen)
    {
        lock (_sleep)
        {
            Interlocked.Increment(ref _sleepers);
            while (Volatile.Read(ref _generation) == seen) Monitor.Wait(_sleep);
            Interlocked.Decrement(ref _sleepers);
            return _generation;
        }
    }

    void Wake()
    {
        Interlocked.Increment(ref _generation);
        if (Volatile.Read(ref _sleepers) == 0) return;
        lock (_sleep) Monitor.PulseAll(_sleep);
    }
}
