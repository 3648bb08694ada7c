using System.Globalization;
using Iced.Intel;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Jit;

namespace ShiftAddVit.Tests.Kernels.Jit;

public class GeneratedCodeTests
{
    static readonly DotProductKey Full = new(new(6, 4), Rows: 6, Vectors: 4, Masked: true, Inputs: 35, Epilogue.TableGelu);

    static byte[] Emit(DotProductKey key) => new DotProductEmitter(key, VectorIsa.Avx512Vnni).Emit();

    static List<Instruction> Decode(byte[] code)
    {
        var decoder = Decoder.Create(64, code);
        var instructions = new List<Instruction>();
        while (decoder.IP < (ulong)code.Length) instructions.Add(decoder.Decode());
        return instructions;
    }

    [Fact]
    public void A_tile_does_one_dot_product_for_each_vector_and_group()
    {
        // 35 inputs are 8 groups in a loop of two rounds of 4, and a rest of 3.
        var products = Decode(Emit(Full)).Count(i => i.Mnemonic == Mnemonic.Vpdpbusd);
        Assert.Equal(6 * 4 * (4 + 1), products);
    }

    [Fact]
    public void Every_instruction_is_valid_and_the_last_returns()
    {
        var code = Decode(Emit(Full));
        Assert.All(code, instruction => Assert.NotEqual(Code.INVALID, instruction.Code));
        Assert.Equal(Mnemonic.Ret, code[^1].Mnemonic);
        Assert.Equal(Mnemonic.Vzeroupper, code[^2].Mnemonic);
    }

    [Fact]
    public void Only_registers_that_a_callee_may_change_are_changed_on_System_V()
    {
        Register[] preserved = [Register.RBX, Register.RBP, Register.RSP, Register.R12, Register.R13, Register.R14, Register.R15];
        var factory = new InstructionInfoFactory();
        foreach (var instruction in Decode(Emit(Full)).SkipLast(1))
            foreach (var used in factory.GetInfo(instruction).GetUsedRegisters())
                if (used.Access is OpAccess.Write or OpAccess.ReadWrite) Assert.DoesNotContain(used.Register.GetFullRegister(), preserved);
    }

    [Fact]
    public void Windows_gets_back_what_it_preserves()
    {
        var assembler = new Assembler(64);
        CallingConvention.Enter(assembler, windows: true);
        CallingConvention.Leave(assembler, windows: true);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        var code = Decode(stream.ToArray());

        Assert.Equal([Register.RSI, Register.RDI], code.Where(i => i.Mnemonic == Mnemonic.Push).Select(i => i.Op0Register));
        Assert.Equal([Register.RDI, Register.RSI], code.Where(i => i.Mnemonic == Mnemonic.Pop).Select(i => i.Op0Register));
        var saved = code.Where(i => i.Mnemonic == Mnemonic.Vmovups && i.Op0Kind == OpKind.Memory).Select(i => (i.Op1Register, i.MemoryDisplacement64));
        var restored = code.Where(i => i.Mnemonic == Mnemonic.Vmovups && i.Op1Kind == OpKind.Memory).Select(i => (i.Op0Register, i.MemoryDisplacement64));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => (Register.XMM6 + i, (ulong)(16 * i))), saved);
        Assert.Equal(saved, restored);
        Assert.Contains(code, i => i.Mnemonic == Mnemonic.Mov && i.Op0Register == Register.RDI && i.Op1Register == Register.RCX);
    }

    [Fact]
    public void Code_is_executable_and_no_longer_writable()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads Linux's map of a process");
        Assert.SkipUnless(ExecutableMemory.Refusal is null, "executable memory is not allowed here");
        var address = ExecutableMemory.Place([0xC3]);
        var permissions = File.ReadLines("/proc/self/maps").Where(line => Contains(line, address)).Select(line => line.Split(' ')[1]).Single();
        Assert.Equal("r-xp", permissions);
    }

    static bool Contains(string line, nint address)
    {
        var range = line.Split(' ')[0].Split('-').Select(text => nint.Parse(text, NumberStyles.HexNumber)).ToArray();
        return range[0] <= address && address < range[1];
    }

    [Fact]
    public void A_function_is_generated_once_for_each_key()
    {
        Assert.SkipUnless(ExecutableMemory.Refusal is null, "executable memory is not allowed here");
        var generated = new List<int>();
        var cache = new CodeCache<int>(key => { lock (generated) generated.Add(key); return [0xC3]; });
        Parallel.For(0, 100, i => cache.Get(i % 3));
        Assert.Equal([0, 1, 2], generated.Order());
        Assert.Equal(cache.Get(1), cache.Get(1));
        Assert.NotEqual(cache.Get(1), cache.Get(2));
    }
}
