using System.Buffers;
using System.Collections.Immutable;

namespace ShiftAddVit.Tensors;

/// <summary>What the bytes of a plane of one format mean, looked up instead of computed: models have millions.</summary>
sealed class CodeTable
{
    static readonly CodeTable S8 = new(code => (sbyte)code, code => (sbyte)code != sbyte.MinValue);
    static readonly CodeTable OneTerm = new(code => P4.Decode(code & 15), code => P4.IsCanonical(code & 15) && P4.IsCanonical(code >> 4));
    static readonly CodeTable TwoTerms = new(P4P4.Decode, P4P4.IsCanonical);

    CodeTable(Func<byte, int> decode, Func<byte, bool> isCanonical)
    {
        var (values, canonical) = (new sbyte[256], new List<byte>());
        for (var code = 0; code < values.Length; code++)
        {
            values[code] = (sbyte)decode((byte)code);
            if (isCanonical((byte)code)) canonical.Add((byte)code);
        }
        (Values, CanonicalBytes) = ([.. values], SearchValues.Create([.. canonical]));
    }

    /// <summary>The value of every code; of P4 the low nibble is the code.</summary>
    public ImmutableArray<sbyte> Values { get; }

    /// <summary>The bytes that consist of canonical codes: one, or two nibbles of P4.</summary>
    public SearchValues<byte> CanonicalBytes { get; }

    public static CodeTable Of(WeightFormat format) => format switch
    {
        WeightFormat.S8 => S8,
        WeightFormat.P4 => OneTerm,
        _ => TwoTerms,
    };
}
