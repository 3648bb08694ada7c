using System.Diagnostics;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Jit;

namespace ShiftAddVit.Tuning;

/// <summary>
/// What one core can do at most, measured by loops that do nothing else: billions of multiply-adds a second. Null where this machine lacks
/// the instruction or allows no generated code.
/// </summary>
/// <param name="MultiplyAdds">512-bit fused multiply-adds.</param>
/// <param name="ByteProducts">512-bit byte dot products.</param>
public sealed record MachinePeak(double? MultiplyAdds, double? ByteProducts)
{
    const int Calls = 50;

    /// <summary>Measures both; some milliseconds. Clocks drift: measure beside what it is compared with.</summary>
    public static MachinePeak Measure() => new(Measure(PeakInstruction.Fma), Measure(PeakInstruction.ByteDotProduct));

    /// <summary>The peak that bounds a kernel; null where none of the two does.</summary>
    public double? Of(KernelName kernel) => (kernel.Acc, kernel.B) switch
    {
        (NumberType.F32, _) => MultiplyAdds,
        (_, NumberType.S8 or NumberType.P4 or NumberType.P4P4 or NumberType.P5) when kernel.Op != Operation.MatDistance => ByteProducts,
        _ => null,
    };

    /// <summary>The larger of two measurements.</summary>
    internal MachinePeak OrHigher(MachinePeak other) => new(Higher(MultiplyAdds, other.MultiplyAdds), Higher(ByteProducts, other.ByteProducts));

    static double? Higher(double? one, double? other) => one > other ? one : other;

    static double? Measure(PeakInstruction instruction)
    {
        if (!PeakLoop.CanRun(instruction)) return null;
        var best = long.MaxValue;
        for (var call = 0; call < Calls; call++)
        {
            var started = Stopwatch.GetTimestamp();
            PeakLoop.Run(instruction);
            best = long.Min(best, Stopwatch.GetTimestamp() - started);
        }
        return PeakLoop.Operations(instruction) / (best * 1e9 / Stopwatch.Frequency);
    }
}
