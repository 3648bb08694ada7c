namespace ShiftAddVit.Kernels;

/// <summary>
/// round(255 e^(-i / 40)) for i = 0..254 and 0 for 255: an exponential whose argument and result are bytes. Between its steps the result
/// is off by at most 1.3 % of itself plus half a unit.
/// </summary>
static class ExponentialTable
{
    public const int Length = 256;

    /// <summary>Entries from e^0 to e^-1.</summary>
    public const int StepsPerUnit = 40;

    static readonly byte[] Entries = Create();

    public static ReadOnlySpan<byte> Values => Entries;

    static byte[] Create()
    {
        var entries = GC.AllocateArray<byte>(Length, pinned: true);
        for (var i = 0; i < Length - 1; i++) entries[i] = (byte)Math.Round(255 * Math.Exp(-i / (double)StepsPerUnit));
        return entries;
    }
}
