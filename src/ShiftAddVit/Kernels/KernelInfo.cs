using ShiftAddVit.Packing;

namespace ShiftAddVit.Kernels;

/// <summary>What the registry decided about a kernel.</summary>
public enum KernelVerdict
{
    /// <summary>It runs its operation in this process.</summary>
    Chosen,

    /// <summary>It could run here; another is ahead of it.</summary>
    Usable,

    /// <summary>It can not or may not run here.</summary>
    Refused,
}

/// <summary>One row of the registry.</summary>
/// <param name="Name">The kernel.</param>
/// <param name="Schedule">How it realises its operation; never a change of the result.</param>
/// <param name="Packing">The order it wants its weights in; null where it takes them as they are.</param>
/// <param name="Verdict">What was decided.</param>
/// <param name="Reason">Why, in a few words.</param>
public sealed record KernelInfo(KernelName Name, string Schedule, PackFormat? Packing, KernelVerdict Verdict, string Reason);
