using System.Buffers;
using System.Collections.Immutable;

namespace ShiftAddVit.Tensors;

/// <summary>What the bytes of a plane of one format mean, looked up instead of computed: models have millions.</summary>
sealed class CodeTable
{
    static readonly ImmutableArray<byte> AllCodes = [.. Enumerable.Range(0, 256).Select(code => (byte)code)];
    static readonly CodeTable S8 = new(code => (sbyte)code, code => (sbyte)code != sbyte.MinValue);
    static readonly CodeTable OneTerm = new(code => P4.Decode(code & 15), code => P4.IsCanonical(code & 15) && P4.IsCanonical(code >> 4));
    static readonly CodeTable TwoTerms = new(P4P4.Decode, P4P4.IsCanonical);
    static readonly CodeTable DeepShift = new(code => P5.Decode(code & 31), code => P5.IsCanonical(code), P5.High, P5.Low);

    CodeTable(Func<byte, int> decode, Func<byte, bool> isCanonical, params ReadOnlySpan<Func<int, sbyte>> parts)
    {
        int[] values = [.. AllCodes.Select(decode)];
        Values = [.. values.Select(value => (short)value)];
        if (parts.Length == 0) parts = [value => (sbyte)value];
        foreach (var part in parts) Bytes = Bytes.Add([.. values.Select(part)]);
        CanonicalBytes = SearchValues.Create([.. AllCodes.Where(isCanonical)]);
    }

    /// <summary>Every code, to be looked up as it is.</summary>
    public static ReadOnlySpan<byte> Codes => AllCodes.AsSpan();

    /// <summary>The integer of every code; of P4 the low nibble is the code, of P5 the lowest five bits are.</summary>
    public ImmutableArray<short> Values { get; }

    /// <summary>The same as signed bytes: one, or of P5 the high and the low one.</summary>
    public ImmutableArray<ImmutableArray<sbyte>> Bytes { get; } = [];

    /// <summary>The bytes that consist of canonical codes: one, or two nibbles of P4.</summary>
    public SearchValues<byte> CanonicalBytes { get; }

    public static CodeTable Of(WeightFormat format) => format switch
    {
        WeightFormat.S8 => S8,
        WeightFormat.P4 => OneTerm,
        WeightFormat.P5 => DeepShift,
        _ => TwoTerms,
    };
}
