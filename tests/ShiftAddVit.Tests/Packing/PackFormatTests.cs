using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Suites;

namespace ShiftAddVit.Tests.Packing;

public class PackFormatTests
{
    public static TheoryData<WeightFormat> Quantised => [WeightFormat.S8, WeightFormat.P4, WeightFormat.P4P4];

    static readonly (int Nr, int KGroup)[] Tiles = [(1, 1), (1, 2), (3, 1), (4, 2), (8, 4)];

    /// <summary>Every value of the format in turn, so that every exponent, sign, pair and zero is met in every place.</summary>
    static short[] AllValues(WeightFormat format, int count)
    {
        var values = Codebook.Of(format).Magnitudes.SelectMany(m => new[] { (short)m, (short)-m }).Distinct().ToArray();
        return [.. Enumerable.Range(0, count).Select(i => values[i % values.Length])];
    }

    /// <summary>Where element n,k lies, in elements, by the sentence that describes the order.</summary>
    static int IndexOf(PackFormat format, int n, int k, int columns)
    {
        var (nr, kGroup) = (format.Nr, format.KGroup);
        var groups = (columns + kGroup - 1) / kGroup;
        return ((n / nr * groups + k / kGroup) * nr + n % nr) * kGroup + k % kGroup;
    }

    [Theory, MemberData(nameof(Quantised))]
    public void Decoded_weights_read_back_and_the_padding_is_0(WeightFormat weights)
    {
        foreach (var (nr, kGroup) in Tiles)
            foreach (var (n, k) in Shapes(nr, kGroup))
                AssertPacked(new(WeightFormat.S8, nr, kGroup), weights, n, k, (packed, index) => (sbyte)packed[index], value => value);
    }

    [Fact]
    public void One_term_codes_read_back_and_the_padding_is_0()
    {
        foreach (var (nr, kGroup) in Tiles.Where(tile => tile.KGroup % 2 == 0))
            foreach (var (n, k) in Shapes(nr, kGroup))
                AssertPacked(new(WeightFormat.P4, nr, kGroup), WeightFormat.P4, n, k,
                    (packed, i) => (packed[i / 2] >> (i % 2 * 4)) & 15, P4.Encode);
    }

    [Fact]
    public void Two_term_codes_read_back_and_the_padding_is_0()
    {
        foreach (var (nr, kGroup) in Tiles)
            foreach (var (n, k) in Shapes(nr, kGroup))
                AssertPacked(new(WeightFormat.P4P4, nr, kGroup), WeightFormat.P4P4, n, k,
                    (packed, i) => packed[i], value => P4P4.Encode(value));
    }

    [Fact]
    public void Deepshift_codes_read_back_a_byte_each()
    {
        foreach (var (nr, kGroup) in Tiles)
            foreach (var (n, k) in Shapes(nr, kGroup))
                AssertPacked(new(WeightFormat.P5, nr, kGroup), WeightFormat.P5, n, k, (packed, i) => packed[i], P5.Encode);
    }

    /// <summary>A panel is that of S8 with the high bytes of its outputs, then the low ones.</summary>
    [Fact]
    public void Weights_of_two_parts_are_panels_of_twice_as_many_bytes()
    {
        foreach (var order in new PackFormat[] { new(WeightFormat.S8, 2, 1), new(WeightFormat.S8, 6, 2), new(WeightFormat.S8, 8, 4, accumulatorStarts: true) })
        {
            var split = order.InTwoParts();
            foreach (var (n, k) in Shapes(split.Nr, split.KGroup))
            {
                var values = AllValues(WeightFormat.P5, n * k);
                using var packed = split.Pack(WeightPlane.Encode(WeightFormat.P5, n, k, values));
                var panels = (n + split.Nr - 1) / split.Nr;
                var bytes = new short[panels * order.Nr * k];
                for (var i = 0; i < n * k; i++)
                {
                    var column = i / k / split.Nr * order.Nr + i / k % split.Nr;
                    (bytes[column * k + i % k], bytes[(column + split.Nr) * k + i % k]) = (P5.High(values[i]), P5.Low(values[i]));
                }
                using var expected = order.Pack(WeightPlane.Encode(WeightFormat.S8, panels * order.Nr, k, bytes));
                Assert.Equal(expected.AsSpan<byte>(), packed.AsSpan<byte>());
                Assert.Equal(order.PanelBytes(k), split.PanelBytes(k));
            }
        }
    }

    static IEnumerable<(int N, int K)> Shapes(int nr, int kGroup) =>
        from n in Enumerable.Range(1, 2 * nr + 1) from k in Enumerable.Range(1, 2 * kGroup + 1).Append(90) select (n, k);

    static void AssertPacked(PackFormat format, WeightFormat weights, int n, int k, Func<byte[], int, int> read, Func<int, int> encode)
    {
        var values = AllValues(weights, n * k);
        using var buffer = format.Pack(WeightPlane.Encode(weights, n, k, values));
        var packed = buffer.AsSpan<byte>().ToArray();
        var nonzero = 0;
        for (var i = 0; i < n * k; i++)
        {
            var code = encode(values[i]);
            Assert.Equal(code, read(packed, IndexOf(format, i / k, i % k, k)));
            if (code != 0) nonzero++;
        }
        var elements = format.Element == WeightFormat.P4 ? 2 * packed.Length : packed.Length;
        Assert.Equal(nonzero, Enumerable.Range(0, elements).Count(i => read(packed, i) != 0));
    }

    [Theory, MemberData(nameof(Quantised))]
    public void Panels_of_one_output_are_the_rows_of_the_plane(WeightFormat weights)
    {
        var plane = WeightPlane.Encode(weights, 5, 7, AllValues(weights, 35));
        using var packed = new PackFormat(weights, 1, weights == WeightFormat.P4 ? 2 : 1).Pack(plane);
        Assert.Equal(plane.Codes, packed.AsSpan<byte>());
    }

    [Fact]
    public void Floats_read_back_from_rows_and_from_columns()
    {
        var format = new PackFormat(WeightFormat.F32, 4, 1);
        foreach (var (n, k) in Shapes(4, 3))
        {
            var (rowStride, columnStride) = (k + 2, n + 3);
            var rows = KernelRows.RandomFloats(new(n), n * rowStride);
            var columns = KernelRows.RandomFloats(new(k), k * columnStride);
            var packed = new float[format.ByteLength(n, k) / sizeof(float)];
            packed.AsSpan().Fill(float.NaN);
            format.PackRows(n, k, rows, rowStride, packed);
            AssertFloats(format, packed, n, k, (output, input) => rows[output * rowStride + input]);
            packed.AsSpan().Fill(float.NaN);
            format.PackColumns(n, k, columns, columnStride, packed);
            AssertFloats(format, packed, n, k, (output, input) => columns[input * columnStride + output]);
        }
    }

    static void AssertFloats(PackFormat format, float[] packed, int n, int k, Func<int, int, float> value)
    {
        for (var output = 0; output < packed.Length / k; output++)
            for (var input = 0; input < k; input++)
                Assert.Equal(output < n ? value(output, input) : 0, packed[IndexOf(format, output, input, k)]);
    }

    [Fact]
    public void Packing_into_the_callers_memory_allocates_nothing()
    {
        var format = new PackFormat(WeightFormat.F32, 16, 1);
        float[] source = KernelRows.RandomFloats(new(1), 20 * 30), packed = new float[format.ByteLength(20, 30) / sizeof(float)];
        format.PackRows(20, 30, source, 30, packed);
        format.PackColumns(20, 30, source, 20, packed);
        var before = GC.GetAllocatedBytesForCurrentThread();
        format.PackRows(20, 30, source, 30, packed);
        format.PackColumns(20, 30, source, 20, packed);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void Bits_lie_in_words_and_the_padding_is_0()
    {
        const int nr = 4, n = 6, k = 70, words = 3;
        var format = PackFormat.OneBit(nr);
        var source = new uint[n * words];
        foreach (ref var word in source.AsSpan()) word = (uint)Random.Shared.NextInt64(1, uint.MaxValue);
        var packed = new uint[format.ByteLength(n, k) / sizeof(uint)];
        packed.AsSpan().Fill(uint.MaxValue);
        format.PackBits(n, k, source, packed);
        Assert.Equal(8 * words, packed.Length);
        for (var output = 0; output < 8; output++)
            for (var word = 0; word < words; word++)
                Assert.Equal(output < n ? source[output * words + word] : 0, packed[(output / nr * words + word) * nr + output % nr]);
    }

    [Fact]
    public void Formats_that_do_not_fit_are_refused()
    {
        var plane = WeightPlane.Encode(WeightFormat.S8, 1, 1, [1]);
        Assert.Throws<ArgumentException>(() => new PackFormat(WeightFormat.P4P4, 1, 1).Pack(plane));
        Assert.Throws<ArgumentException>(() => new PackFormat(WeightFormat.F32, 1, 1).Pack(plane));
        Assert.Throws<ArgumentException>(() => PackFormat.OneBit(1).Pack(plane));
        Assert.Throws<ArgumentException>(() => new PackFormat(WeightFormat.S8, 2, 1).InTwoParts().Pack(plane));
        Assert.Throws<ArgumentException>(() => new PackFormat(WeightFormat.S8, 1, 1).Pack(WeightPlane.Encode(WeightFormat.P5, 1, 1, [1])));
        Assert.Throws<InvalidOperationException>(() => new PackFormat(WeightFormat.P4P4, 2, 1).InTwoParts());
        Assert.Throws<InvalidOperationException>(() => new PackFormat(WeightFormat.S8, 3, 1).InTwoParts());
        Assert.Throws<InvalidOperationException>(() => PackFormat.OneBit(1).Pack(1, 1, [1f]));
        Assert.Throws<InvalidOperationException>(() => new PackFormat(WeightFormat.S8, 1, 1).PackBits(1, 1, [1], new uint[1]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PackFormat.OneBit(0));
        Assert.Throws<InvalidOperationException>(() => new PackFormat(WeightFormat.S8, 1, 1).Pack(1, 1, [1f]));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PackFormat(WeightFormat.P4, 1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PackFormat(WeightFormat.F32, 1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PackFormat(WeightFormat.S8, 0, 1));
    }
}
