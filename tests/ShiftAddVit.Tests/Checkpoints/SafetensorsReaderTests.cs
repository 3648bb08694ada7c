using ShiftAddVit.Checkpoints;
using ShiftAddVit.Tensors;
using static ShiftAddVit.Tests.Checkpoints.SafetensorsBytes;

namespace ShiftAddVit.Tests.Checkpoints;

public class SafetensorsReaderTests
{
    [Fact]
    public void Seven_bytes_are_too_few() => Refused.ToOpen(new byte[7], "7 bytes");

    [Fact]
    public void An_empty_file_is_refused() => Refused.ToOpen([], "empty");

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    [InlineData(100_000_001UL)]
    [InlineData(3UL)]
    public void A_header_longer_than_the_file_or_the_limit_is_refused(ulong length) =>
        Refused.ToOpen([.. Length(length), (byte)'{', (byte)'}'], length.ToString(), "100,000,000");

    [Fact]
    public void A_header_above_the_limit_is_refused_even_if_the_file_is_as_long()
    {
        using var directory = new TempDirectory();
        var path = directory.Write("sparse", Length(100_000_001));
        using (var stream = File.OpenWrite(path)) stream.SetLength(100_000_009);
        Refused.By(path, () => Checkpoint.Open(path), "100000001", "100,000,000");
    }

    [Fact]
    public void A_truncated_file_is_refused()
    {
        var whole = Of("{" + Entry("\"a\"", "F32", "2", 0, 8) + "}", 8);
        for (var length = 0; length < whole.Length; length++) Refused.ToOpen(whole.AsSpan(0, length));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{} x")]
    [InlineData("{\"a\":1}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}")]
    [InlineData("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}")]
    public void A_header_that_is_not_an_object_of_tensors_is_refused(string json) => Refused.ToOpen(Of(json, 4), "safetensors header");

    [Fact]
    public void A_header_that_is_not_utf8_is_refused() =>
        Refused.ToOpen([.. Length(5), (byte)'{', (byte)'"', 0xff, (byte)'"', (byte)'}'], "UTF-8");

    [Fact]
    public void A_deeply_nested_header_is_refused() => Refused.ToOpen(Of("{\"a\":" + new string('[', 100_000), 0), "safetensors header");

    [Fact]
    public void A_tensor_listed_twice_is_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "1", 0, 4)},{Entry("\"a\"", "F32", "1", 4, 8)}}}", 8), "'a'", "twice");

    [Fact]
    public void A_field_listed_twice_is_refused() =>
        Refused.ToOpen(Of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4), "'shape'");

    [Fact]
    public void A_hundred_thousand_entries_are_refused()
    {
        var entries = Enumerable.Range(0, 100_000).Select(i => Entry($"\"t{i}\"", "F32", "0", 0, 0));
        Refused.ToOpen(Of($"{{{string.Join(',', entries)}}}", 0), "65,536");
    }

    [Fact]
    public void Sixty_five_thousand_entries_are_read()
    {
        var entries = Enumerable.Range(0, 65_536).Select(i => Entry($"\"t{i}\"", "F32", "0", 0, 0));
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("many", Of($"{{{string.Join(',', entries)}}}", 0)));
        Assert.Equal(65_536, checkpoint.Tensors.Count);
    }

    [Theory]
    [InlineData("F31")]
    [InlineData("BOOL")]
    [InlineData("3")]
    [InlineData("f32")]
    public void An_unknown_dtype_is_refused(string dtype) =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", dtype, "1", 0, 4)}}}", 4), "'a'", dtype, "BF16");

    [Theory]
    [InlineData("-1", 0, 4)]
    [InlineData("2147483648", 0, 4)]
    [InlineData("65536,65536", 0, 4)]
    [InlineData("4294967296,4294967296,4294967296", 0, 4)]
    public void A_shape_that_is_negative_or_too_large_is_refused(string shape, long begin, long end) =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", shape, begin, end)}}}", (int)end), "'a'", "2^31");

    [Theory]
    [InlineData("0,2147483647,2147483647")]
    [InlineData("2147483647,2147483647,0")]
    public void A_tensor_of_no_elements_is_legal_in_any_order_of_axes(string shape)
    {
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", Of($"{{{Entry("\"a\"", "F32", shape, 0, 0)}}}", 0)));
        Assert.Equal(0, checkpoint.ReadFloat32("a").Values.Length);
    }

    [Fact]
    public void A_shape_of_too_many_axes_is_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", string.Join(',', Enumerable.Repeat(1, 65)), 0, 4)}}}", 4), "64");

    [Theory]
    [InlineData(-4, 0)]
    [InlineData(4, 0)]
    [InlineData(0, 8)]
    [InlineData(long.MaxValue - 3, long.MaxValue)]
    [InlineData(long.MinValue, long.MaxValue)]
    public void A_range_outside_the_data_is_refused(long begin, long end) =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "1", begin, end)}}}", 4), "'a'", "4 bytes");

    [Fact]
    public void A_range_that_does_not_fit_the_shape_is_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "3", 0, 8)}}}", 8), "'a'", "8 bytes", "F32[3]");

    [Fact]
    public void Overlapping_tensors_are_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "2", 0, 8)},{Entry("\"b\"", "F32", "2", 4, 12)}}}", 12), "'b'", "inside another");

    [Fact]
    public void A_tensor_without_elements_inside_another_is_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "2", 0, 8)},{Entry("\"z\"", "F32", "0", 4, 4)}}}", 8), "'z'", "inside another");

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(12)]
    public void A_tensor_without_elements_between_others_is_read(int at)
    {
        var json = $"{{{Entry("\"z\"", "F32", "3,0", at, at)},{Entry("\"a\"", "F32", "2", 0, 8)},{Entry("\"b\"", "F32", "1", 8, 12)}}}";
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("z", Of(json, 12)));
        Assert.Equal(new Shape(3, 0), checkpoint.ReadFloat32("z").Shape);
        Assert.Equal(["z", "a", "b"], checkpoint.Tensors.Keys);
    }

    [Fact]
    public void A_hole_between_tensors_is_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "1", 0, 4)},{Entry("\"b\"", "F32", "1", 8, 12)}}}", 12), "'b'", "hole");

    [Fact]
    public void Bytes_after_the_last_tensor_are_refused() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\"", "F32", "1", 0, 4)}}}", 5), "1 bytes after its last tensor");

    [Theory]
    [InlineData("{\"__metadata__\":{\"a\":1}}")]
    [InlineData("{\"__metadata__\":{\"a\":{}}}")]
    [InlineData("{\"__metadata__\":\"a\"}")]
    [InlineData("{\"__metadata__\":{},\"__metadata__\":{}}")]
    [InlineData("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}")]
    public void Metadata_that_does_not_map_text_to_text_is_refused(string json) => Refused.ToOpen(Of(json, 0));

    [Fact]
    public void A_name_with_line_feeds_stays_on_one_line_of_the_error() =>
        Refused.ToOpen(Of($"{{{Entry("\"a\\nb" + new string('c', 1000) + "\"", "F31", "1", 0, 4)}}}", 4), "'a?bccc", "...'");

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_not_finite_is_refused_when_read(float bad)
    {
        using var directory = new TempDirectory();
        var data = Enumerable.Repeat(BitConverter.GetBytes(1f), 5).Append(BitConverter.GetBytes(bad)).SelectMany(b => b).ToArray();
        var path = directory.Write("nan", Of($"{{{Entry("\"ok\"", "F32", "2", 0, 8)},{Entry("\"a\"", "F32", "4", 8, 24)}}}", data));
        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal([1f, 1f], checkpoint.ReadFloat32("ok").Values);
        Refused.By(path, () => checkpoint.ReadFloat32("a"), "'a'", "element 3", "finite");
    }

    [Theory]
    [InlineData(3.5e38)]
    [InlineData(-1e300)]
    [InlineData(double.NaN)]
    public void A_double_beyond_the_range_of_float32_is_refused(double bad)
    {
        using var directory = new TempDirectory();
        var path = directory.Write("f64", Of($"{{{Entry("\"a\"", "F64", "1", 0, 8)}}}", BitConverter.GetBytes(bad)));
        using var checkpoint = Checkpoint.Open(path);
        Refused.By(path, () => checkpoint.ReadFloat32("a"), "'a'", "F64", "finite");
    }

    [Fact]
    public void A_tensor_beyond_4_GiB_is_read_without_what_lies_before_it()
    {
        const long Large = int.MaxValue, End = 2 * Large + 8;
        var json = $"{{{Entry("\"a\"", "U8", $"{Large}", 0, Large)},{Entry("\"b\"", "U8", $"{Large}", Large, 2 * Large)},"
            + $"{Entry("\"c\"", "F32", "2", 2 * Large, End)}}}";
        using var directory = new TempDirectory();
        var path = directory.Write("sparse", Of(json, 0));
        using (var stream = new FileStream(path, FileMode.Open))
        {
            stream.SetLength(stream.Length + End);
            stream.Seek(-2 * sizeof(float), SeekOrigin.End);
            stream.Write([.. BitConverter.GetBytes(5f), .. BitConverter.GetBytes(6f)]);
        }
        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal([5f, 6f], checkpoint.ReadFloat32("c").Values);
    }

    [Fact]
    public void A_name_that_is_not_there_is_refused_with_those_that_are()
    {
        using var directory = new TempDirectory();
        var entries = Enumerable.Range(0, 12).Select(i => Entry($"\"t{i}\"", "U8", "", i, i + 1));
        var path = directory.Write("a", Of($"{{{string.Join(',', entries)}}}", 12));
        using var checkpoint = Checkpoint.Open(path);
        Refused.By(path, () => checkpoint.ReadFloat32("x"), "'x'", "'t0'", "and 2 more");
    }

    [Fact]
    public void A_closed_checkpoint_reads_nothing()
    {
        using var directory = new TempDirectory();
        var checkpoint = Checkpoint.Open(directory.Write("a", Of($"{{{Entry("\"a\"", "U8", "1", 0, 1)}}}", 1)));
        checkpoint.Dispose();
        checkpoint.Dispose();
        Assert.Throws<ObjectDisposedException>(() => checkpoint.ReadFloat32("a"));
    }

    [Fact]
    public void A_missing_file_and_a_directory_are_refused()
    {
        using var directory = new TempDirectory();
        Refused.By(directory.File("none"), () => Checkpoint.Open(directory.File("none")), "no such file");
        Refused.By(directory.Path, () => Checkpoint.Open(directory.Path), "directory");
    }
}
