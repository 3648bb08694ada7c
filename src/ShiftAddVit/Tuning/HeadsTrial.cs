using ShiftAddVit.Kernels;

namespace ShiftAddVit.Tuning;

/// <summary>A kernel on the operands of several heads, one after the other. For one thread.</summary>
sealed class HeadsTrial : ITrial
{
    readonly KernelTrial[] _heads;

    /// <param name="registry">The registry that knows the kernel.</param>
    /// <param name="kernel">A kernel that the registry does not refuse.</param>
    /// <param name="shape">Of one head.</param>
    /// <param name="memories">Of the caller, one a head.</param>
    public HeadsTrial(KernelRegistry registry, KernelName kernel, MatrixShape shape, TrialMemory[] memories) =>
        _heads = [.. memories.Select((memory, head) => KernelTrial.Create(registry, kernel, shape, memory, seed: head + 1))];

    public KernelName Kernel => _heads[0].Kernel;

    public void Run()
    {
        foreach (var head in _heads) head.Run();
    }

    public bool IsCorrect() => Array.TrueForAll(_heads, head => head.IsCorrect());

    public void Dispose()
    {
        foreach (var head in _heads) head.Dispose();
    }
}
