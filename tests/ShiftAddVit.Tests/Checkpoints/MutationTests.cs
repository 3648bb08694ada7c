using CsCheck;
using ShiftAddVit.Checkpoints;

namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>Whatever the bytes, a checkpoint opens and reads or is refused by a <see cref="ShiftAddVitException"/>; nothing else.</summary>
public class MutationTests
{
    [Fact]
    public void Random_bytes_are_refused_or_read() => Gen.Byte.Array[0, 300].Sample(OpensOrIsRefused, iter: 300);

    [Fact]
    public void Random_headers_are_refused_or_read() =>
        Gen.String[Gen.Char["{}[]:,\"0123456789-.aedtypshF32_m "], 0, 80].Sample(
            text => OpensOrIsRefused(SafetensorsBytes.Of("{" + text, 8)), iter: 1000);

    [Fact]
    public void Random_opcodes_are_refused_or_read() =>
        Gen.OneOf(Gen.Byte, Gen.Char["().]}KNaehqrstubQR0\0\u0001\u0002\u0085\u0086\u0089\u008f"].Select(c => (byte)c)).Array[0, 40]
            .Sample(opcodes => OpensOrIsRefused(Torch.TorchBytes.Zip(("a/data.pkl", [0x80, 2, .. opcodes]))), iter: 1000);

    [Theory]
    [InlineData("types.safetensors", 1)]
    [InlineData("views.pth", 3)]
    [InlineData("prefixed.pt", 2)]
    [InlineData("training_protocol4.pth", 11)]
    public void Each_byte_of_a_file_may_be_anything(string file, int step)
    {
        var whole = Fixture.Bytes(file);
        for (var i = 0; i < whole.Length; i += step)
            foreach (byte change in new byte[] { 0x01, 0x80, 0xff })
            {
                var bytes = (byte[])whole.Clone();
                bytes[i] ^= change;
                OpensOrIsRefused(bytes);
            }
    }

    [Theory]
    [InlineData("types.safetensors")]
    [InlineData("types.pth")]
    [InlineData("training.pth")]
    public void Several_bytes_of_a_file_may_be_anything(string file)
    {
        var whole = Fixture.Bytes(file);
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte).Array[1, 8].Sample(changes =>
        {
            var bytes = (byte[])whole.Clone();
            foreach (var (at, value) in changes) bytes[at] = value;
            OpensOrIsRefused(bytes);
        }, iter: 300);
    }

    static void OpensOrIsRefused(byte[] bytes)
    {
        using var directory = new TempDirectory();
        try
        {
            using var checkpoint = Checkpoint.Open(directory.Write("a", bytes));
            foreach (var name in checkpoint.Tensors.Keys) TryRead(checkpoint, name);
        }
        catch (ShiftAddVitException e)
        {
            Assert.DoesNotContain('\n', e.Message);
        }
    }

    static void TryRead(Checkpoint checkpoint, string name)
    {
        try
        {
            checkpoint.ReadFloat32(name);
        }
        catch (ShiftAddVitException e)
        {
            Assert.Contains("finite", e.Message, StringComparison.Ordinal);
        }
    }
}
