namespace ShiftAddVit.Tensors;

/// <summary>
/// The integer weights [N,K] of one linear layer as stored in a file: compact, row-major, independent of any kernel.
/// Rows start on a byte. S8 and P4P4: one byte a weight. P4: two codes a byte, even k in the low nibble. P5: the code of k in bits 5 k to
/// 5 k + 4 of a row, lowest bit of the first byte first, so that eight take five bytes.
/// </summary>
public sealed class WeightPlane
{
    readonly byte[] _codes;

    WeightPlane(WeightFormat format, int rows, int columns, byte[] codes)
    {
        (Format, Rows, Columns, _codes) = (format, rows, columns, codes);
        RowBytes = RowLength(format, columns);
    }

    /// <summary>How the codes are to be read: any format but F32.</summary>
    public WeightFormat Format { get; }

    /// <summary>N, the number of outputs.</summary>
    public int Rows { get; }

    /// <summary>K, the number of inputs.</summary>
    public int Columns { get; }

    /// <summary>Bytes from one row to the next.</summary>
    public int RowBytes { get; }

    /// <summary>The codes, N rows of <see cref="RowBytes"/> bytes.</summary>
    public ReadOnlySpan<byte> Codes => _codes;

    /// <summary>The codes of one row.</summary>
    public ReadOnlySpan<byte> Row(int row) => Codes.Slice(row * RowBytes, RowBytes);

    /// <summary>Bytes that a row of K weights takes.</summary>
    public static int RowLength(WeightFormat format, int columns) => (int)(((long)columns * BitsOf(format) + 7) / 8);

    /// <summary>Bits of a code.</summary>
    static int BitsOf(WeightFormat format) => format switch
    {
        WeightFormat.S8 or WeightFormat.P4P4 => 8,
        WeightFormat.P4 => 4,
        WeightFormat.P5 => 5,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "only quantised formats have planes"),
    };

    /// <summary>Encodes integer weights [N,K].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value that the format cannot hold.</exception>
    public static WeightPlane Encode(WeightFormat format, int rows, int columns, ReadOnlySpan<short> values)
    {
        var rowBytes = RowLength(format, columns);
        var codes = new byte[rows * rowBytes];
        for (var n = 0; n < rows; n++)
            EncodeRow(format, values.Slice(n * columns, columns), codes.AsSpan(n * rowBytes, rowBytes));
        return new(format, rows, columns, codes);
    }

    /// <summary>Takes over codes read from elsewhere.</summary>
    /// <exception cref="FormatException">The length is not that of [N,K], or a code is not canonical.</exception>
    public static WeightPlane FromCodes(WeightFormat format, int rows, int columns, byte[] codes)
    {
        ArgumentNullException.ThrowIfNull(codes);
        if (codes.Length != (long)rows * RowLength(format, columns)) throw new FormatException($"{codes.Length} bytes for {format} {rows}x{columns}");
        var plane = new WeightPlane(format, rows, columns, codes);
        plane.RequireCanonical();
        return plane;
    }

    /// <summary>Decodes row <paramref name="row"/> into K integers.</summary>
    public void DecodeRow(int row, Span<short> values) => LookUp(row, CodeTable.Of(Format).Values.AsSpan(), values);

    /// <summary>Decodes a row into K signed bytes: the integers, or of P5 their high (part 0) or low bytes (part 1).</summary>
    internal void DecodeRow(int row, int part, Span<sbyte> bytes) => LookUp(row, CodeTable.Of(Format).Bytes[part].AsSpan(), bytes);

    /// <summary>The codes of a row, one a byte.</summary>
    internal void UnpackRow(int row, Span<byte> codes) => LookUp(row, CodeTable.Codes, codes);

    /// <summary>The P4 code of weight <paramref name="k"/> in a row of nibbles.</summary>
    public static int Nibble(ReadOnlySpan<byte> row, int k) => (row[k >> 1] >> ((k & 1) * 4)) & 15;

    /// <summary>The P5 code of weight <paramref name="k"/> in a row: of one byte, or of two where it crosses into the next.</summary>
    static int FiveBits(ReadOnlySpan<byte> row, int k)
    {
        var (at, bit) = Math.DivRem(5 * k, 8);
        return ((row[at] | (bit > 3 ? row[at + 1] << 8 : 0)) >> bit) & 31;
    }

    void LookUp<T>(int row, ReadOnlySpan<T> table, Span<T> values)
    {
        var codes = Row(row);
        if (Format == WeightFormat.P4)
            for (var k = 0; k < Columns; k++) values[k] = table[Nibble(codes, k)];
        else if (Format == WeightFormat.P5)
            for (var k = 0; k < Columns; k++) values[k] = table[FiveBits(codes, k)];
        else
            for (var k = 0; k < codes.Length; k++) values[k] = table[codes[k]];
    }

    static void EncodeRow(WeightFormat format, ReadOnlySpan<short> values, Span<byte> codes)
    {
        var bits = BitsOf(format);
        for (var k = 0; k < values.Length; k++)
        {
            var (at, bit) = Math.DivRem(k * bits, 8);
            var code = Encode(format, values[k]) << bit;
            codes[at] |= (byte)code;
            if (bit + bits > 8) codes[at + 1] = (byte)(code >> 8);
        }
    }

    static int Encode(WeightFormat format, short value)
    {
        switch (format)
        {
            case WeightFormat.S8:
                ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Abs((int)value), sbyte.MaxValue, nameof(value));
                return (byte)value;
            case WeightFormat.P4:
                return P4.Encode(value);
            case WeightFormat.P5:
                return P5.Encode(value);
            default:
                return P4P4.Encode(value);
        }
    }

    void RequireCanonical()
    {
        if (Format == WeightFormat.P5) RequireCanonicalRows();
        else if (Codes.IndexOfAnyExcept(CodeTable.Of(Format).CanonicalBytes) is >= 0 and var at) throw NotCanonical(at);
        var padding = 8 * RowBytes - Columns * BitsOf(Format);
        for (var n = 0; padding > 0 && n < Rows; n++)
            if (Row(n)[^1] >> (8 - padding) != 0) throw BadPadding(n);
    }

    /// <summary>Where codes cross bytes, these say nothing on their own.</summary>
    void RequireCanonicalRows()
    {
        var codes = new byte[Columns];
        for (var n = 0; n < Rows; n++)
        {
            UnpackRow(n, codes);
            if (codes.IndexOfAnyExcept(CodeTable.Of(Format).CanonicalBytes) is >= 0 and var k) throw NotCanonical(n, k);
        }
    }

    FormatException NotCanonical(int at)
    {
        var (n, k) = Math.DivRem(at, RowBytes);
        if (Format == WeightFormat.P4) k = 2 * k + (P4.IsCanonical(_codes[at] & 15) ? 1 : 0);
        return k < Columns ? NotCanonical(n, k) : BadPadding(n);
    }

    FormatException NotCanonical(int row, int k) => new($"{Format} code of weight {row},{k} is not canonical");

    FormatException BadPadding(int row) => new($"{Format} row {row} has padding bits that are not 0");
}
