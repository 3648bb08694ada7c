namespace ShiftAddVit.Tensors;

/// <summary>
/// The integer weights [N,K] of one linear layer as stored in a file: compact, row-major, independent of any kernel.
/// S8: one signed byte a weight. P4: two codes a byte, even k in the low nibble, rows start on a byte. P4P4: one byte a weight.
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
    public static int RowLength(WeightFormat format, int columns) => format switch
    {
        WeightFormat.S8 or WeightFormat.P4P4 => columns,
        WeightFormat.P4 => (columns + 1) / 2,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "only quantised formats have planes"),
    };

    /// <summary>Encodes integer weights [N,K].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value that the format cannot hold.</exception>
    public static WeightPlane Encode(WeightFormat format, int rows, int columns, ReadOnlySpan<sbyte> values)
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
    public void DecodeRow(int row, Span<sbyte> values)
    {
        var codes = Row(row);
        var decoded = CodeTable.Of(Format).Values.AsSpan();
        if (Format == WeightFormat.P4)
            for (var k = 0; k < Columns; k++) values[k] = decoded[Nibble(codes, k)];
        else
            for (var k = 0; k < codes.Length; k++) values[k] = decoded[codes[k]];
    }

    /// <summary>The P4 code of weight <paramref name="k"/> in a row of nibbles.</summary>
    public static int Nibble(ReadOnlySpan<byte> row, int k) => (row[k >> 1] >> ((k & 1) * 4)) & 15;

    static void EncodeRow(WeightFormat format, ReadOnlySpan<sbyte> values, Span<byte> codes)
    {
        for (var k = 0; k < values.Length; k++)
            switch (format)
            {
                case WeightFormat.S8:
                    ArgumentOutOfRangeException.ThrowIfEqual(values[k], sbyte.MinValue, nameof(values));
                    codes[k] = (byte)values[k];
                    break;
                case WeightFormat.P4:
                    codes[k >> 1] |= (byte)(P4.Encode(values[k]) << ((k & 1) * 4));
                    break;
                default:
                    codes[k] = P4P4.Encode(values[k]);
                    break;
            }
    }

    void RequireCanonical()
    {
        var at = Codes.IndexOfAnyExcept(CodeTable.Of(Format).CanonicalBytes);
        if (at >= 0) throw NotCanonical(at);
        if (Format != WeightFormat.P4 || (Columns & 1) == 0) return;
        for (var n = 0; n < Rows; n++)
            if (Row(n)[^1] >> 4 != 0) throw BadPadding(n);
    }

    FormatException NotCanonical(int at)
    {
        var (n, k) = Math.DivRem(at, RowBytes);
        if (Format == WeightFormat.P4) k = 2 * k + (P4.IsCanonical(_codes[at] & 15) ? 1 : 0);
        return k < Columns ? new($"{Format} code of weight {n},{k} is not canonical") : BadPadding(n);
    }

    static FormatException BadPadding(int row) => new($"P4 row {row} has a padding nibble that is not 0");
}
