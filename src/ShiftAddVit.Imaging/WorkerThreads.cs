using System.Runtime.ExceptionServices;

namespace ShiftAddVit.Imaging;

/// <summary>Runs the same work on several threads that share out items among themselves.</summary>
static class WorkerThreads
{
    /// <summary>
    /// Runs <paramref name="work"/> on the caller and <paramref name="threads"/> - 1 more; returns when all have ended. The first
    /// exception cancels the token of the others and is rethrown.
    /// </summary>
    public static void Run(int threads, Action<CancellationToken> work, CancellationToken cancellation)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        ExceptionDispatchInfo? failure = null;
        var helpers = Enumerable.Range(1, threads - 1).Select(_ => new Thread(Guarded) { IsBackground = true }).ToList();
        helpers.ForEach(helper => helper.Start());
        Guarded();
        helpers.ForEach(helper => helper.Join());
        failure?.Throw();

        void Guarded()
        {
            try
            {
                work(linked.Token);
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref failure, ExceptionDispatchInfo.Capture(error), null);
                linked.Cancel();
            }
        }
    }
}
