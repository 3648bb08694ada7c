using CsCheck;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Tensors;

public class WeightPlaneTests
{
    static readonly WeightFormat[] Formats = [WeightFormat.S8, WeightFormat.P4, WeightFormat.P4P4, WeightFormat.P5];

    [Fact]
    public void Encoding_then_decoding_is_the_identity()
    {
        var cases = from format in Gen.Int[0, 3].Select(i => Formats[i])
                    from rows in Gen.Int[1, 5]
                    from columns in Gen.Int[1, 19]
                    let codebook = Codebook.Of(format)
                    let signed = codebook.Magnitudes.Concat(codebook.Magnitudes.Select(m => -m)).Select(v => (short)v).ToArray()
                    from values in Gen.Int[0, signed.Length - 1].Select(i => signed[i]).Array[rows * columns]
                    select (format, rows, columns, values);
        cases.Sample(c =>
        {
            var plane = WeightPlane.Encode(c.format, c.rows, c.columns, c.values);
            var again = WeightPlane.FromCodes(c.format, c.rows, c.columns, plane.Codes.ToArray());
            var decoded = new short[c.values.Length];
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

    [Fact]
    public void Eight_P5_take_five_bytes_and_rows_start_on_bytes()
    {
        // Codes 1 to 9 in five bits each, lowest first; in the second row 15 + 16 for the largest negative, then 0.
        var plane = WeightPlane.Encode(WeightFormat.P5, 2, 9, [1, 2, 4, 8, 16, 32, 64, 128, 256, -16384, 0, 0, 0, 0, 0, 0, 0, -1]);
        var bits = Enumerable.Range(0, 8).Aggregate(0L, (sum, k) => sum | ((k + 1L) << (5 * k)));
        Assert.Equal([.. Enumerable.Range(0, 5).Select(i => (byte)(bits >> (8 * i))), 9, 31, 0, 0, 0, 0, 17], plane.Codes.ToArray());
    }

    [Fact]
    public void A_P5_code_that_is_not_canonical_is_named_wherever_it_lies()
    {
        for (var k = 0; k < 11; k++)
        {
            var codes = new byte[2 * 7];
            codes[7 + (5 * k + 4) / 8] = (byte)(1 << (5 * k + 4) % 8);
            var error = Assert.Throws<FormatException>(() => WeightPlane.FromCodes(WeightFormat.P5, 2, 11, codes));
            Assert.Equal($"P5 code of weight 1,{k} is not canonical", error.Message);
        }
    }

    [Fact]
    public void The_padding_of_a_P5_row_must_be_0()
    {
        // 11 codes leave one of 56 bits.
        var error = Assert.Throws<FormatException>(() => WeightPlane.FromCodes(WeightFormat.P5, 2, 11, [.. new byte[6], 0x80, .. new byte[7]]));
        Assert.Equal("P5 row 0 has padding bits that are not 0", error.Message);
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

    [Theory]
    [InlineData(-128), InlineData(128), InlineData(256)]
    public void A_value_outside_the_format_is_refused(short value) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => WeightPlane.Encode(WeightFormat.S8, 1, 1, [value]));
}
