using System.IO.Compression;
using ShiftAddVit.Checkpoints;
using static ShiftAddVit.Tests.Checkpoints.Torch.TorchBytes;

namespace ShiftAddVit.Tests.Checkpoints.Torch;

public class TorchReaderTests
{
    [Theory]
    [InlineData(0, new[] { 2, 2 }, new[] { 2, 1 }, new float[] { 0, 1, 2, 3 })]
    [InlineData(0, new[] { 2, 2 }, new[] { 1, 2 }, new float[] { 0, 2, 1, 3 })]
    [InlineData(1, new[] { 2 }, new[] { 2 }, new float[] { 1, 3 })]
    [InlineData(3, new int[0], new int[0], new float[] { 3 })]
    [InlineData(0, new[] { 1, 4 }, new[] { 0, 1 }, new float[] { 0, 1, 2, 3 })]
    [InlineData(99, new[] { 0, 7 }, new[] { 7, 1 }, new float[0])]
    public void A_view_reads_the_elements_it_names(int offset, int[] extents, int[] strides, float[] expected)
    {
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a.pt", File(Dict(Tensor(offset, extents, strides)))));
        Assert.Equal(expected, checkpoint.ReadFloat32("w").Values);
    }

    [Fact]
    public void A_strided_tensor_longer_than_a_chunk_is_gathered_in_order()
    {
        using var directory = new TempDirectory();
        var data = Enumerable.Range(0, 3000).SelectMany(i => BitConverter.GetBytes((float)i)).ToArray();
        var pickle = Raw("\u0080\u0002" + Dict(Tensor(0, [3, 1000], [1, 3], 3000)));
        using var checkpoint = Checkpoint.Open(directory.Write("a.pt", Zip(("a/data.pkl", pickle), ("a/data/0", data))));
        var expected = from row in Enumerable.Range(0, 3) from column in Enumerable.Range(0, 1000) select (float)(row + 3 * column);
        Assert.Equal(expected, checkpoint.ReadFloat32("w").Values.ToArray());
    }

    [Theory]
    [InlineData(4, new[] { 1 }, new[] { 1 })]
    [InlineData(0, new[] { 5 }, new[] { 1 })]
    [InlineData(0, new[] { 2 }, new[] { 4 })]
    [InlineData(0, new[] { 2, 2 }, new[] { int.MaxValue, int.MaxValue })]
    [InlineData(0, new[] { 3, 2 }, new[] { 1, 1 })]
    public void A_view_beyond_its_storage_is_refused(int offset, int[] extents, int[] strides) =>
        Refused.ToOpen(File(Dict(Tensor(offset, extents, strides))), "'w'", "beyond its storage");

    [Theory]
    [InlineData(-1, new[] { 1 }, new[] { 1 })]
    [InlineData(3, new[] { 2 }, new[] { -1 })]
    [InlineData(0, new[] { 2 }, new[] { 1, 1 })]
    public void A_negative_offset_or_stride_is_refused(int offset, int[] extents, int[] strides) =>
        Refused.ToOpen(File(Dict(Tensor(offset, extents, strides))), "'w'", "strides");

    [Fact]
    public void A_negative_extent_is_refused() => Refused.ToOpen(File(Dict(Tensor(0, [-1], [1]))), "'w'", "-1");

    [Fact]
    public void A_small_storage_expanded_to_a_large_tensor_is_refused() =>
        Refused.ToOpen(File(Dict(Tensor(0, [1000000, 2], [0, 1]))), "'w'", "expanded");

    [Theory]
    [InlineData(5, "FloatStorage")]
    [InlineData(3, "FloatStorage")]
    [InlineData(-1, "FloatStorage")]
    [InlineData(4, "DoubleStorage")]
    public void A_storage_of_another_size_than_its_entry_is_refused(int elements, string type) =>
        Refused.ToOpen(File(Dict(Tensor(0, [1], [1], elements, type: type))), "'w'", "16 bytes");

    [Theory]
    [InlineData("1")]
    [InlineData("../data.pkl")]
    public void A_storage_that_is_not_in_the_file_is_refused(string key) =>
        Refused.ToOpen(File(Dict(Tensor(0, [1], [1], key: key))), "'w'", key, "missing");

    [Fact]
    public void A_tensor_listed_twice_is_refused()
    {
        var tensor = Tensor(0, [1], [1]);
        Refused.ToOpen(File($"}}({Text("w")}{tensor}{Text("module.w")}{tensor}u."), "'w'", "twice");
    }

    [Fact]
    public void More_tensors_than_the_limit_are_refused()
    {
        var tensor = Tensor(0, [1], [1]) + "q\0";
        var items = string.Concat(Enumerable.Range(0, 70_000).Select(i => $"{Text($"t{i}")}h\0s"));
        Refused.ToOpen(File($"{tensor}0}}{items}."), "65,536");
    }

    [Theory]
    [InlineData("model", "state_dict")]
    [InlineData("state_dict", "other")]
    public void The_state_dict_is_sought_under_model_then_state_dict_then_at_the_top(string taken, string left)
    {
        var wanted = $"}}{Text("wanted")}{Tensor(0, [1], [1])}s";
        var unwanted = $"}}{Text("unwanted")}{Tensor(0, [1], [1])}s";
        using var directory = new TempDirectory();
        var path = directory.Write("a", File($"}}({Text("top")}{Tensor(0, [1], [1])}{Text(left)}{unwanted}{Text(taken)}{wanted}u."));
        using var checkpoint = Checkpoint.Open(path);
        Assert.Equal(["wanted"], checkpoint.Tensors.Keys);
    }

    [Fact]
    public void Entries_that_are_no_tensors_are_ignored()
    {
        using var directory = new TempDirectory();
        var opcodes = $"}}({Text("model")}{Text("a name")}K\u0001{Tensor(0, [1], [1])}{Text("w")}{Tensor(0, [1], [1])}{Text("n")}Nu.";
        using var checkpoint = Checkpoint.Open(directory.Write("a", File(opcodes)));
        Assert.Equal(["w"], checkpoint.Tensors.Keys);
    }

    [Theory]
    [InlineData("argparse", "Namespace")]
    [InlineData("torch", "Size")]
    [InlineData("numpy", "dtype")]
    [InlineData("numpy.core.multiarray", "scalar")]
    [InlineData("numpy._core.multiarray", "scalar")]
    [InlineData("_codecs", "encode")]
    [InlineData("builtins", "set")]
    [InlineData("__builtin__", "set")]
    public void What_training_scripts_save_beside_tensors_is_ignored(string module, string name)
    {
        using var directory = new TempDirectory();
        var extra = $"c{module}\n{name}\n({Text("anything")}NtR}}b";
        using var checkpoint = Checkpoint.Open(directory.Write("a", File($"}}({Text("x")}{extra}{Text("w")}{Tensor(0, [4], [1])}u.")));
        Assert.Equal(["w"], checkpoint.Tensors.Keys);
    }

    [Theory]
    [InlineData("_rebuild_parameter", "\u0088}")]
    [InlineData("_rebuild_parameter_with_state", "\u0088}}")]
    public void A_parameter_is_its_tensor(string function, string rest)
    {
        using var directory = new TempDirectory();
        var parameter = $"ctorch._utils\n{function}\n({Tensor(0, [4], [1])}{rest}tR";
        using var checkpoint = Checkpoint.Open(directory.Write("a", File(Dict(parameter))));
        Assert.Equal([0, 1, 2, 3], checkpoint.ReadFloat32("w").Values);
    }

    [Theory]
    [InlineData("].", "state dict")]
    [InlineData("}.", "nothing")]
    public void A_file_without_tensors_is_refused(string opcodes, string word) => Refused.ToOpen(File(opcodes), word);

    [Fact]
    public void A_file_of_other_things_is_refused_with_their_names() =>
        Refused.ToOpen(File($"}}{Text("weights_under")}}}s."), "'weights_under'", "'model'", "'state_dict'");

    [Fact]
    public void A_zip_file_that_is_not_of_pytorch_is_refused() => Refused.ToOpen(Zip(("x.npy", [1])), "data.pkl");

    [Fact]
    public void Two_pickles_are_refused() => Refused.ToOpen(Zip(("a/data.pkl", [1]), ("b/data.pkl", [1])), "2 entries named data.pkl");

    [Fact]
    public void A_big_endian_file_is_refused()
    {
        var pickle = Raw("\u0080\u0002" + Dict(Tensor(0, [1], [1], 1)));
        (string, byte[])[] entries = [("a/data.pkl", pickle), ("a/data/0", new byte[4])];
        Refused.ToOpen(Zip([.. entries, ("a/byteorder", Raw("big"))]), "big-endian");
        Refused.ToOpen(Zip([.. entries, ("a/byteorder", Raw("middle"))]), "big-endian");
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", Zip([.. entries, ("a/byteorder", Raw("little"))])));
        Assert.Single(checkpoint.Tensors);
    }

    [Fact]
    public void A_pickle_above_64_MiB_is_refused() => Refused.ToOpen(Zip(("a/data.pkl", new byte[(64 << 20) + 1])), "67,108,864");

    [Fact]
    public void A_zip_bomb_is_refused() =>
        Refused.ToOpen(Zip(CompressionLevel.SmallestSize, ("a/data.pkl", new byte[50_000_000])), "'a/data.pkl'", "compressed");

    [Theory]
    [InlineData("../evil")]
    [InlineData("a/../../evil")]
    [InlineData("/etc/passwd")]
    [InlineData("a\\b")]
    [InlineData("C:/evil")]
    public void A_name_that_leaves_its_directory_is_refused(string name) =>
        Refused.ToOpen(Zip(("a/data.pkl", Raw("\u0080\u0002}.")), (name, [])), "leaves its directory");

    [Fact]
    public void An_entry_listed_twice_is_refused() =>
        Refused.ToOpen(Zip(("a/data.pkl", [1]), ("a/data.pkl", [1])), "'a/data.pkl'", "twice");

    [Fact]
    public void More_entries_than_the_limit_are_refused() =>
        Refused.ToOpen(Zip([.. Enumerable.Range(0, 66_000).Select(i => ($"a/{i}", Array.Empty<byte>()))]), "66000", "65,536");

    [Fact]
    public void A_truncated_zip_file_is_refused()
    {
        var whole = File(Dict(Tensor(0, [4], [1])));
        for (var length = 1; length < whole.Length; length++) Refused.ToOpen(whole.AsSpan(0, length));
    }

    [Theory]
    [InlineData(8, "encrypted")]
    [InlineData(10, "compressed")]
    [InlineData(20, "compressed")]
    public void An_entry_whose_flags_method_or_size_say_that_it_is_not_stored_is_refused(int field, string word)
    {
        var bytes = File(Dict(Tensor(0, [4], [1])));
        var central = bytes.AsSpan().IndexOf("PK\u0001\u0002"u8);
        bytes[central + field] ^= 1;
        Refused.ToOpen(bytes, word);
    }

    static string Sharing(int tensors) =>
        $"}}({string.Concat(Enumerable.Range(0, tensors).Select(i => Text($"t{i}") + Tensor(0, [4], [1])))}u.";

    [Fact]
    public void Tied_tensors_share_a_storage()
    {
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", File(Sharing(4))));
        Assert.All(checkpoint.Tensors.Keys, name => Assert.Equal([0, 1, 2, 3], checkpoint.ReadFloat32(name).Values));
    }

    [Fact]
    public void A_storage_that_many_tensors_share_is_refused() => Refused.ToOpen(File(Sharing(5)), "80 bytes", "16 bytes", "4 times");

    [Fact]
    public void Storages_that_overlap_in_the_file_hold_no_more_than_the_file()
    {
        const int Storages = 40, Claimed = 4000;
        string Key(int i) => $"s{10 + i}";
        var tensors = Enumerable.Range(0, Storages).Select(i => Text($"t{i}") + Tensor(0, [Claimed / 4], [1], Claimed / 4, Key(i)));
        var pickle = Raw($"\u0080\u0002}}({string.Concat(tensors)}u.");
        var storages = Enumerable.Range(0, Storages).Select(i => ($"a/data/{Key(i)}", new byte[4]));
        var zip = Zip([("a/data.pkl", pickle), .. storages, ("a/rest", new byte[Claimed])]);
        ClaimLengths(zip, Claimed);
        Refused.ToOpen(zip, "160000 bytes", $"{zip.Length} bytes");
    }

    /// <summary>Lets every storage reach over those that follow it.</summary>
    static void ClaimLengths(byte[] zip, int length)
    {
        const int Compressed = 20, Plain = 24, Name = 46;
        for (var at = 0; zip.AsSpan(at).IndexOf("PK\u0001\u0002"u8) is >= 0 and var next; at++)
        {
            at += next;
            if (!zip.AsSpan(at + Name).StartsWith("a/data/"u8)) continue;
            foreach (var field in new[] { Compressed, Plain }) BitConverter.GetBytes(length).CopyTo(zip, at + field);
        }
    }
}
