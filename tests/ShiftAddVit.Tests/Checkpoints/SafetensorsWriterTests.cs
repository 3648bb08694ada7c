using CsCheck;
using ShiftAddVit.Checkpoints;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Checkpoints;

public class SafetensorsWriterTests
{
    static Gen<float> Finite { get; } = Gen.UInt.Select(BitConverter.UInt32BitsToSingle).Where(float.IsFinite);

    static Gen<string> Name { get; } = Gen.String[Gen.Char["abcdefgh.01\"\\\n\0é中"], 0, 12];

    static Gen<Tensor> AnyTensor { get; } =
        from extents in Gen.Int[0, 4].Array[0, 4]
        from values in Finite.Array[new Shape(extents).ElementCount]
        select new Tensor(new Shape(extents), values);

    static Gen<Dictionary<string, Tensor>> Tensors { get; } = Gen.Dictionary(Name, AnyTensor)[0, 8];

    static Gen<Dictionary<string, string>> Metadata { get; } = Gen.Dictionary(Name, Name)[0, 4];

    [Fact]
    public void What_is_written_is_read_back_bit_for_bit() => Gen.Select(Tensors, Metadata).Sample((tensors, metadata) =>
    {
        using var directory = new TempDirectory();
        SafetensorsWriter.Write(directory.File("w"), tensors, metadata);
        using var checkpoint = Checkpoint.Open(directory.File("w"));
        Assert.Equal(tensors.Keys, checkpoint.Tensors.Keys);
        Assert.Equal(metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal), checkpoint.Metadata);
        foreach (var (name, tensor) in tensors)
        {
            var read = checkpoint.ReadFloat32(name);
            Assert.Equal(tensor.Shape, read.Shape);
            Assert.Equal(Bits(tensor), Bits(read));
        }
    }, iter: 200);

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        using var directory = new TempDirectory();
        KeyValuePair<string, Tensor>[] tensors = [new("b", new(new(2), [1, -2])), new("a", new(new(), [0.5f]))];
        SafetensorsWriter.Write(directory.File("w"), tensors, new Dictionary<string, string> { ["z"] = "1", ["k"] = "2" });
        var json = """{"__metadata__":{"k":"2","z":"1"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"""
            + ""","a":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}""";
        byte[] expected = [.. SafetensorsBytes.Of(json.PadRight((json.Length + 7) / 8 * 8), []),
            0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f];
        Assert.Equal(expected, File.ReadAllBytes(directory.File("w")));
    }

    [Fact]
    public void Data_starts_at_a_multiple_of_eight()
    {
        using var directory = new TempDirectory();
        for (var length = 1; length <= 8; length++)
        {
            SafetensorsWriter.Write(directory.File("w"), [new(new string('n', length), new(new(), [1]))]);
            Assert.Equal(sizeof(float), new FileInfo(directory.File("w")).Length % 8);
        }
    }

    [Fact]
    public void More_values_than_are_written_at_a_time_come_back()
    {
        using var directory = new TempDirectory();
        var values = Enumerable.Range(0, (1 << 17) + 3).Select(i => (float)i).ToArray();
        SafetensorsWriter.Write(directory.File("w"), [new("a", new(new(values.Length), values))]);
        using var checkpoint = Checkpoint.Open(directory.File("w"));
        Assert.True(checkpoint.ReadFloat32("a").Values.SequenceEqual(values));
    }

    [Fact]
    public void A_value_that_is_not_finite_is_refused_and_nothing_is_written()
    {
        using var directory = new TempDirectory();
        var path = directory.File("w");
        Refused.By(path, () => SafetensorsWriter.Write(path, [new("bad", new(new(2), [1, float.NaN]))]), "'bad'", "finite");
        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    [Theory]
    [InlineData("__metadata__")]
    [InlineData("twice")]
    public void A_name_that_the_format_cannot_hold_is_refused(string name) => RefusesName(name);

    [Fact]
    public void A_name_with_half_a_surrogate_pair_is_refused() => RefusesName("half\ud800");

    static void RefusesName(string name)
    {
        using var directory = new TempDirectory();
        var tensor = new Tensor(new(), [1]);
        Assert.ThrowsAny<ArgumentException>(
            () => SafetensorsWriter.Write(directory.File("w"), [new("twice", tensor), new(name, tensor)]));
        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    static uint[] Bits(Tensor tensor) => [.. tensor.Values.ToArray().Select(BitConverter.SingleToUInt32Bits)];

    [Theory]
    [InlineData(ElementType.F64, 0x3F800001u, 0x3F800001u)]
    [InlineData(ElementType.F32, 0x3F800001u, 0x3F800001u)]
    // Half a unit in the last place goes to the even neighbour, anything more to the nearest.
    [InlineData(ElementType.F16, 0x3F801000u, 0x3F800000u)]
    [InlineData(ElementType.F16, 0x3F801001u, 0x3F802000u)]
    [InlineData(ElementType.F16, 0xBF803000u, 0xBF804000u)]
    [InlineData(ElementType.BF16, 0x3F808000u, 0x3F800000u)]
    [InlineData(ElementType.BF16, 0x3F808001u, 0x3F810000u)]
    [InlineData(ElementType.BF16, 0xBF818000u, 0xBF820000u)]
    // The largest values that do not round to infinity.
    [InlineData(ElementType.F16, 0x477FEFFFu, 0x477FE000u)]
    [InlineData(ElementType.BF16, 0x7F7F7FFFu, 0x7F7F0000u)]
    [InlineData(ElementType.BF16, 0x80000001u, 0x80000000u)]
    public void A_narrower_type_rounds_to_nearest_even(ElementType type, uint written, uint read)
    {
        using var directory = new TempDirectory();
        // So many values that they are converted in more than one part.
        var values = Enumerable.Repeat(BitConverter.UInt32BitsToSingle(written), 70_000).ToArray();
        SafetensorsWriter.Write(directory.File("w"), [new("a", new(new(values.Length), values)), new("b", new(new(), [1]))], elementType: type);
        using var checkpoint = Checkpoint.Open(directory.File("w"));
        Assert.Equal((type, type), (checkpoint.Tensors["a"].ElementType, checkpoint.Tensors["b"].ElementType));
        Assert.Equal([read], Bits(checkpoint.ReadFloat32("a")).Distinct());
        Assert.Equal(1, checkpoint.ReadFloat32("b").Values[0]);
    }

    [Theory]
    [InlineData(ElementType.F16, 0x477FF000u)]
    [InlineData(ElementType.F16, 0xC77FF000u)]
    [InlineData(ElementType.BF16, 0x7F7F8000u)]
    public void A_value_that_would_round_to_infinity_is_refused(ElementType type, uint bits)
    {
        using var directory = new TempDirectory();
        var (path, value) = (directory.File("w"), BitConverter.UInt32BitsToSingle(bits));
        Refused.By(path, () => SafetensorsWriter.Write(path, [new("bad", new(new(), [value]))], elementType: type), "'bad'", $"{type}");
        Assert.Empty(Directory.GetFiles(directory.Path));
    }

    [Theory]
    [InlineData(ElementType.I8), InlineData(ElementType.U8), InlineData(ElementType.I32), InlineData(ElementType.I64)]
    public void Integer_types_are_not_written(ElementType type)
    {
        using var directory = new TempDirectory();
        Assert.Throws<ArgumentException>("elementType", () => SafetensorsWriter.Write(directory.File("w"), [], elementType: type));
    }
}
