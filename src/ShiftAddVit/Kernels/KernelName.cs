using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace ShiftAddVit.Kernels;

/// <summary>What a matrix kernel computes.</summary>
public enum Operation
{
    /// <summary>The sum of activations shifted by weights that are powers of two or sums of two of them.</summary>
    MatShift,

    /// <summary>The sum of activations multiplied by weights.</summary>
    MatMul,

    /// <summary>MatShift as frameworks without shifts do it: weights built as floats from their codes, then multiplied.</summary>
    FakeShift,

    /// <summary>Minus the sum of absolute differences between activations and weights (AdderNet).</summary>
    MatDistance,

    /// <summary>The sum of those rows that a one-bit code selects: the products of binary attention.</summary>
    MatAdd,
}

/// <summary>How a kernel realises its operation, where that tells it from another of the same operation and tile.</summary>
public enum KernelSchedule
{
    /// <summary>As the rest of the name says: no part of the name.</summary>
    Default,

    /// <summary>Variable shifts and adds, no multiplication.</summary>
    Shift,

    /// <summary>Products, or sums of a few terms, looked up in tables.</summary>
    LookUp,

    /// <summary>A tile's epilogue after its sums, where by default it overlaps with the sums of the next tile.</summary>
    Straight,

    /// <summary>Eight groups of inputs in a round of a tile's loop, where by default there are four.</summary>
    Unroll8,

    /// <summary>Adds under a mask of code bits, no multiplication.</summary>
    Masked,
}

/// <summary>The numbers a kernel reads or accumulates in.</summary>
public enum NumberType
{
    /// <summary>Unsigned bytes with zero point 128: quantised activations.</summary>
    U8,

    /// <summary>Signed bytes -127..127.</summary>
    S8,

    /// <summary>One-term shift weights.</summary>
    P4,

    /// <summary>Two-term shift weights.</summary>
    P4P4,

    /// <summary>32-bit floating point.</summary>
    F32,

    /// <summary>32-bit integers.</summary>
    I32,

    /// <summary>One-bit codes for +1 and -1.</summary>
    B1,

    /// <summary>Shift weights of DeepShift's range.</summary>
    P5,

    /// <summary>64-bit integers.</summary>
    I64,
}

/// <summary>
/// The name of a kernel, <c>{Op}_{A}{B}{Acc}_{Mr}x{Nr}_{Isa}</c>: <c>MatShift_U8P4I32_6x32_Vector512</c> shifts U8 activations by P4
/// weights, accumulates in I32, and holds 6 rows times 32 outputs at a time. <c>_{Schedule}</c> follows where it needs one:
/// <c>MatShift_U8P4I32_8x32_Avx512_Shift</c>.
/// </summary>
/// <param name="Op">What it computes.</param>
/// <param name="A">The activations.</param>
/// <param name="B">The weights.</param>
/// <param name="Acc">The accumulators.</param>
/// <param name="Mr">Rows of a tile.</param>
/// <param name="Nr">Outputs of a tile.</param>
/// <param name="Isa">What it runs on.</param>
/// <param name="Schedule">How it realises its operation.</param>
public readonly record struct KernelName(
    Operation Op, NumberType A, NumberType B, NumberType Acc, int Mr, int Nr, KernelIsa Isa, KernelSchedule Schedule = KernelSchedule.Default)
{
    /// <summary>Bytes of an accumulator, which is what a kernel writes for each output.</summary>
    internal int AccumulatorBytes => Acc == NumberType.I64 ? sizeof(long) : sizeof(int);

    /// <summary>The name by the grammar.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Op}_{A}{B}{Acc}_{Mr}x{Nr}_{Isa}{(Schedule == KernelSchedule.Default ? "" : $"_{Schedule}")}");

    /// <summary>Reads a name; false when it does not follow the grammar to the letter.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out KernelName name)
    {
        name = default;
        if (text?.Split('_') is not [var op, var types, var tile, var isa, .. var rest] || tile.Split('x') is not [var rows, var outputs]) return false;
        if (!TrySchedule(rest, out var schedule)) return false;
        if (!TryName(op, out Operation operation) || !TryName(isa, out KernelIsa instructions)) return false;
        if (!TryTypes(types, out var a, out var b, out var acc)) return false;
        if (!TrySize(rows, out var mr) || !TrySize(outputs, out var nr)) return false;
        name = new(operation, a, b, acc, mr, nr, instructions, schedule);
        return true;
    }

    /// <summary>Splits the three types; P4P4 is tried before P4, and no kernel has P4 on both sides.</summary>
    static bool TryTypes(string text, out NumberType a, out NumberType b, out NumberType acc)
    {
        (b, acc) = (default, default);
        ReadOnlySpan<char> rest = text;
        return TryTake(ref rest, out a) && TryTake(ref rest, out b) && TryTake(ref rest, out acc) && rest.IsEmpty;
    }

    static bool TryTake(ref ReadOnlySpan<char> text, out NumberType type)
    {
        type = default;
        var length = 0;
        foreach (var candidate in Enum.GetValues<NumberType>())
        {
            var name = candidate.ToString();
            if (name.Length > length && text.StartsWith(name, StringComparison.Ordinal)) (type, length) = (candidate, name.Length);
        }
        text = text[length..];
        return length > 0;
    }

    /// <summary>The default has no part of its own.</summary>
    static bool TrySchedule(string[] parts, out KernelSchedule schedule)
    {
        schedule = KernelSchedule.Default;
        return parts is [] || (parts is [var only] && TryName(only, out schedule) && schedule != KernelSchedule.Default);
    }

    static bool TryName<T>(string text, out T value) where T : struct, Enum => Enum.TryParse(text, out value) && value.ToString() == text;

    static bool TrySize(string text, out int size) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size > 0 && text[0] != '0';
}
