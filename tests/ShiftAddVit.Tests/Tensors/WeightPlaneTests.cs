using CsCheck;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Tensors;

public class WeightPlaneTests
{
    static readonly WeightFormat[] Formats = [WeightFormat.S8, WeightFormat.P4, WeightFormat.P4P4];

    [Fact]
    public void Encoding_then_decoding_is_the_identity()
    {
        var cases = from format in Gen.Int[0, 2].Select(i => Formats[i])
                    from rows in Gen.Int[1, 5]
                    from columns in Gen.Int[1, 9]
                    let codebook = Codebook.Of(format)
                    let signed = codebook.Magnitudes.Concat(codebook.Magnitudes.Select(m => -m)).Select(v => (sbyte)v).ToArray()
                    from values in Gen.Int[0, signed.Length - 1].Select(i => signed[i]).Array[rows * columns]
                    select (format, rows, columns, values);
        cases.Sample(c =>
        {
            var plane = WeightPlane.Encode(c.format, c.rows, c.columns, c.values);
            var again = WeightPlane.FromCodes(c.format, c.rows, c.columns, plane.Codes.ToArray());
            var decoded = new sbyte[c.values.Length];
            for (var n = 0; n < c.rows; n++) again.DecodeRow(n, decoded.AsSpan(n * c.columns, c.columns));
            return decoded.AsSpan().SequenceEqual(c.values);
        });
    }

    [Fact]
    public void P4_takes_half_a_byte_and_rows_start_on_bytes()
    {
        var plane = WeightPlane.Encode(WeightFormat.P4, 2, 3, [1, -1, 64, 0, 2, -64]);
        Assert.Equal([0x91, 0x07, 0x20, 0x0F], plane.Codes.ToArray());
    }

    [Theory]
    [InlineData(WeightFormat.S8, 0x80)]
    [InlineData(WeightFormat.P4, 0x08)]
    [InlineData(WeightFormat.P4, 0x10)]
    [InlineData(WeightFormat.P4P4, 0x77)]
    [InlineData(WeightFormat.P4P4, 0x11)]
    [InlineData(WeightFormat.P4P4, 0x12 << 4)]
    public void A_code_that_is_not_canonical_is_refused(WeightFormat format, int code) =>
        Assert.Throws<FormatException>(() => WeightPlane.FromCodes(format, 1, 1, [(byte)code]));

    [Fact]
    public void A_wrong_length_is_refused() => Assert.Throws<FormatException>(() => WeightPlane.FromCodes(WeightFormat.S8, 2, 2, new byte[5]));

    [Fact]
    public void A_value_outside_the_format_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightPlane.Encode(WeightFormat.S8, 1, 1, [sbyte.MinValue]));
}
