using ShiftAddVit.Checkpoints;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>Files that this library did not write, against values that it did not compute; all comparisons are exact.</summary>
public class FixtureTests
{
    [Theory]
    [InlineData("training.pth")]
    [InlineData("training_protocol4.pth")]
    [InlineData("views.pth")]
    [InlineData("prefixed.pt")]
    [InlineData("types.pth")]
    [InlineData("types.safetensors")]
    public void Tensors_are_those_that_numpy_sees(string file)
    {
        var expected = Fixture.ExpectedOf(file);
        using var checkpoint = Checkpoint.Open(Fixture.Find(file));
        Assert.Equal(expected.Select(tensor => tensor.Name), checkpoint.Tensors.Keys);
        foreach (var (name, type, shape, values) in expected)
        {
            var tensor = checkpoint.ReadFloat32(name);
            Assert.Equal(type, checkpoint.Tensors[name].ElementType.ToString());
            Assert.Equal(new Shape(shape), tensor.Shape);
            Assert.Equal(new Shape(shape), checkpoint.Tensors[name].Shape);
            Assert.Equal(values.Select(BitConverter.SingleToUInt32Bits), tensor.Values.ToArray().Select(BitConverter.SingleToUInt32Bits));
        }
    }

    [Fact]
    public void Metadata_of_safetensors_is_read()
    {
        using var checkpoint = Checkpoint.Open(Fixture.Find("types.safetensors"));
        Assert.Equal(new Dictionary<string, string> { ["format"] = "pt", ["note"] = "é" }, checkpoint.Metadata);
    }

    [Fact]
    public void The_name_of_the_file_does_not_matter()
    {
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("x.safetensors", Fixture.Bytes("views.pth")));
        Assert.Equal(9, checkpoint.Tensors.Count);
    }

    [Fact]
    public void The_legacy_format_is_refused_by_name() =>
        Refused.ToOpen(Fixture.Bytes("legacy.pth"), "legacy (non-zip)", "torch.save", "1.6");

    [Fact]
    public void A_tar_file_is_refused_as_legacy()
    {
        var tar = new byte[1024];
        "sys_info"u8.CopyTo(tar);
        "ustar"u8.CopyTo(tar.AsSpan(257));
        Refused.ToOpen(tar, "legacy (non-zip)");
    }

    [Fact]
    public void A_safetensors_header_whose_length_looks_like_a_pickle_is_read()
    {
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", SafetensorsBytes.Of("{}".PadRight(0x0280), [])));
        Assert.Empty(checkpoint.Tensors);
    }

    [Fact]
    public void An_expanded_tensor_is_refused() => Refused.ToOpen(Fixture.Bytes("expanded.pth"), "'weight'", "stride 0");
}
