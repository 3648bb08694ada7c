using Iced.Intel;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Jit;

namespace ShiftAddVit.Tests.Kernels.Jit;

/// <summary>What the code of row operations is made of, read back from its bytes, and when there is none.</summary>
public class RowCodeTests
{
    /// <summary>Softmax without a tail, with one that is a vector in part, and with nothing but a tail.</summary>
    static readonly Dictionary<string, Func<int, RowQuadEmitter>> Emitters = new()
    {
        ["Quantize"] = quads => new RowBlockEmitter(quads), ["LayerNormQuantize"] = quads => new NormedBlockEmitter(quads),
        ["Softmax 64"] = quads => new SoftmaxEmitter(64, quads), ["Softmax 197"] = quads => new SoftmaxEmitter(197, quads),
        ["Softmax 17"] = quads => new SoftmaxEmitter(17, quads),
    };

    public static TheoryData<string, int> Codes => [.. Emitters.Keys.SelectMany(name => (int[])[1, 2], (name, quads) => (name, quads))];

    static List<Instruction> Decode(string name, int quads)
    {
        var code = Emitters[name](quads).Emit();
        var decoder = Decoder.Create(64, code);
        var instructions = new List<Instruction>();
        while (decoder.IP < (ulong)code.Length) instructions.Add(decoder.Decode());
        return instructions;
    }

    [Theory, MemberData(nameof(Codes))]
    public void Every_instruction_is_valid_and_the_last_two_return(string name, int quads)
    {
        var code = Decode(name, quads);
        Assert.All(code, instruction => Assert.NotEqual(Code.INVALID, instruction.Code));
        Assert.Equal([Mnemonic.Vzeroupper, Mnemonic.Ret], code.Where(i => i.Mnemonic is Mnemonic.Vzeroupper or Mnemonic.Ret).Select(i => i.Mnemonic));
    }

    [Theory, MemberData(nameof(Codes))]
    public void Only_registers_that_a_callee_may_change_are_changed_on_System_V(string name, int quads)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows preserves others");
        Register[] preserved = [Register.RBX, Register.RBP, Register.RSP, Register.R12, Register.R13, Register.R14, Register.R15];
        var factory = new InstructionInfoFactory();
        foreach (var instruction in Decode(name, quads).SkipLast(1))
            foreach (var used in factory.GetInfo(instruction).GetUsedRegisters())
                if (used.Access is OpAccess.Write or OpAccess.ReadWrite) Assert.DoesNotContain(used.Register.GetFullRegister(), preserved);
    }

    [Fact]
    public void A_tail_alone_needs_masks()
    {
        Assert.DoesNotContain(Decode("Softmax 64", 1), i => i.OpMask is Register.K1 or Register.K3);
        Assert.Contains(Decode("Softmax 197", 1), i => i.OpMask == Register.K1);
        Assert.Contains(Decode("Softmax 197", 1), i => i.OpMask == Register.K3);
    }

    [Theory]
    [InlineData(KernelIsa.Avx512)]
    [InlineData(KernelIsa.Vector512)]
    [InlineData(KernelIsa.Reference)]
    public void There_is_none_under_a_lower_cap(KernelIsa cap) => Assert.Null(GeneratedRows.Under(cap));

    [Fact]
    public void Few_rows_and_those_that_are_not_whole_blocks_are_left_to_others()
    {
        Assert.True(GeneratedRows.FitsBlock(4, 64));
        Assert.False(GeneratedRows.FitsBlock(3, 64));
        Assert.False(GeneratedRows.FitsBlock(4, 80));
        Assert.True(GeneratedRows.FitsSoftmax(4, 1024));
        Assert.False(GeneratedRows.FitsSoftmax(3, 1024));
        Assert.False(GeneratedRows.FitsSoftmax(4, 1025));
    }
}
