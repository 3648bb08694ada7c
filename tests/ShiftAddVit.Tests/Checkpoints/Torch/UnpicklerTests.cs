using ShiftAddVit.Checkpoints;
using static ShiftAddVit.Tests.Checkpoints.Torch.TorchBytes;

namespace ShiftAddVit.Tests.Checkpoints.Torch;

/// <summary>Hostile pickles, byte by byte: none may run, recurse without bound or allocate without bound.</summary>
public class UnpicklerTests
{
    [Theory]
    [InlineData("cos\nsystem\n(X\u0004\0\0\0truetR.", "os.system")]
    [InlineData("cposix\nsystem\n(X\u0004\0\0\0truetR.", "posix.system")]
    [InlineData("cbuiltins\neval\n(X\u0001\0\0\01tR.", "builtins.eval")]
    [InlineData("c__builtin__\nexec\n.", "__builtin__.exec")]
    [InlineData("X\u0002\0\0\0osX\u0006\0\0\0system\u0093(X\u0004\0\0\0truetR.", "os.system")]
    [InlineData("csubprocess\nPopen\n)\u0081.", "subprocess.Popen")]
    [InlineData("ctorch\nload\n.", "torch.load")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "__globals__")]
    [InlineData("ccollections\nOrderedDict\n0c__main__\nModel\n.", "__main__.Model")]
    public void A_global_that_is_not_known_is_refused_by_name(string opcodes, string global) =>
        Refused.ToOpen(File(opcodes), global, "refused");

    [Theory]
    [InlineData("(S'true'\nios\nsystem\n.", "0x53")]
    [InlineData("(X\u0004\0\0\0trueios\nsystem\n.", "0x69")]
    [InlineData("\u0082\u0001.", "0x82")]
    [InlineData("P1\n.", "0x50")]
    public void Opcodes_that_pytorch_does_not_write_are_refused(string opcodes, string opcode) => Refused.ToOpen(File(opcodes), opcode);

    [Theory]
    [InlineData("X\u0002\0\0\0osX\u0006\0\0\0system\u0086)R.")]
    [InlineData("})R.")]
    [InlineData("ctorch\nFloatStorage\n)R.")]
    [InlineData("ccollections\nOrderedDict\nK\u0001R.")]
    [InlineData("ccollections\nOrderedDict\n(]tR.")]
    [InlineData("ctorch._utils\n_rebuild_tensor_v2\n)R.")]
    [InlineData("ctorch._utils\n_rebuild_parameter\n(Nt\u0081.")]
    [InlineData("NN\u0093.")]
    [InlineData("NQ.")]
    public void A_call_with_other_arguments_than_those_of_pytorch_is_refused(string opcodes) => Refused.ToOpen(File(opcodes), "its pickle");

    [Theory]
    [InlineData(".")]
    [InlineData("0.")]
    [InlineData("t.")]
    [InlineData("N(0.")]
    [InlineData("N(a.")]
    [InlineData("N(0t.")]
    [InlineData("N\u0086.")]
    [InlineData("q\0.")]
    [InlineData("h\0.")]
    [InlineData("b.")]
    [InlineData("NNa.")]
    [InlineData("](NNu.")]
    [InlineData("}(Nu.")]
    [InlineData("]X\u0005\0\0\0abc")]
    [InlineData("]")]
    [InlineData("X\u00ff\u00ff\u00ff\u00ff.")]
    [InlineData("\u008d\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff.")]
    [InlineData("\u0096\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f.")]
    [InlineData("X\u0001\0\0\0\u00ff.")]
    [InlineData("cos")]
    public void A_malformed_pickle_is_refused(string opcodes) => Refused.ToOpen(File(opcodes), "its pickle");

    [Theory]
    [InlineData("K\u0004")]
    [InlineData("M\u0004\0")]
    [InlineData("J\u0004\0\0\0")]
    [InlineData("\u008a\u0001\u0004")]
    [InlineData("\u008a\u0008\u0004\0\0\0\0\0\0\0")]
    [InlineData("\u008b\u0002\0\0\0\u0004\0")]
    public void An_integer_may_be_written_in_any_length(string four)
    {
        using var directory = new TempDirectory();
        using var checkpoint = Checkpoint.Open(directory.Write("a", File(Dict(Tensor(0, [4], [1]).Replace(Integer(4), four)))));
        Assert.Equal([0, 1, 2, 3], checkpoint.ReadFloat32("w").Values);
    }

    [Theory]
    [InlineData("J\u00fe\u00ff\u00ff\u00ff", "-2")]
    [InlineData("\u008a\u0001\u00fe", "-2")]
    [InlineData("\u008a\0", "16 bytes for 0 elements")]
    [InlineData("\u008a\u0009\u0004\0\0\0\0\0\0\0\0", "its pickle")]
    public void An_integer_keeps_its_sign_and_is_no_longer_than_64_bits(string odd, string words) =>
        Refused.ToOpen(File(Dict(Tensor(0, [4], [1]).Replace(Integer(4), odd))), words);

    [Theory]
    [InlineData("\u0080\u0001}.")]
    [InlineData("\u0080\u0006}.")]
    [InlineData("(dp0\n.")]
    public void Another_protocol_is_refused(string pickle) => Refused.ToOpen(Zip(("a/data.pkl", Raw(pickle))), "protocol");

    [Fact]
    public void A_pickle_nested_by_marks_is_refused() =>
        Refused.ToOpen(File(Repeat("](", 100_000) + Repeat("e", 100_000) + "."), "nests deeper than 256");

    [Fact]
    public void A_pickle_nested_by_tuples_does_not_recurse() => Refused.ToOpen(File(")" + Repeat("\u0085", 1_000_000) + "."), "state dict");

    [Fact]
    public void Lists_that_hold_each_other_do_not_grow() =>
        Refused.ToOpen(File("]q\0" + Repeat("h\0h\0\u0086q\0", 500_000) + "."), "state dict");

    [Fact]
    public void A_stack_without_end_is_refused() => Refused.ToOpen(File(Repeat("N", 1_100_000) + "."), "1,048,576");

    [Fact]
    public void Values_without_end_are_refused() => Refused.ToOpen(File(Repeat("}0", 2_200_000) + "."), "2,097,152");

    [Fact]
    public void A_memo_without_end_is_refused() => Refused.ToOpen(File("N" + Repeat("\u0094", 1_100_000) + "."), "1,048,576");

    static string Repeat(string text, int count) => string.Concat(Enumerable.Repeat(text, count));
}
