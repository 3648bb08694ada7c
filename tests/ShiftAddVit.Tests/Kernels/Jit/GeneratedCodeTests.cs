using System.Globalization;
using Iced.Intel;
using ShiftAddVit.Kernels;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Tests.Suites;

namespace ShiftAddVit.Tests.Kernels.Jit;

public class GeneratedCodeTests
{
    const int Inputs = 35;

    static readonly KernelRegistry Registry = new(KernelIsa.Avx512Vnni);

    /// <summary>Every kernel made of dot products, those included that can not run here.</summary>
    static IEnumerable<DotProductKernel> DotProductKernels => Registry.Kernels.OfType<DotProductKernel>();

    public static TheoryData<string> Names => [.. DotProductKernels.Select(kernel => kernel.Name.ToString())];

    public static TheoryData<string> NamesWithTwins =>
        [.. DotProductKernels.Where(kernel => kernel.Name.Isa == KernelIsa.AvxVnni).Select(kernel => kernel.Name.ToString())];

    /// <summary>Those that weights of two parts are summed by.</summary>
    public static TheoryData<string> NamesOfSplitKernels => [.. Registry.Kernels.OfType<SplitKernel>().Select(kernel => kernel.Bytes)
        .OfType<DotProductKernel>().Select(kernel => kernel.Name.ToString())];

    static DotProductKernel Find(string name) => DotProductKernels.Single(kernel => kernel.Name.ToString() == name);

    /// <summary>A kernel's code for a full tile with a tail and a rest of inputs.</summary>
    static List<Instruction> Emit(string name) => Emit(Find(name), Find(name).Tile);

    static List<Instruction> Emit(DotProductKernel kernel, DotProductTile tile) => Emit(Key(kernel, tile.Rows), tile);

    static List<Instruction> EmitPipelined(DotProductKernel kernel) =>
        Emit(Key(kernel, DotProductTile.PipelinedRows) with { Pipelined = true }, kernel.Tile);

    /// <summary>The code of all forms of a kernel.</summary>
    static IEnumerable<List<Instruction>> EmitAll(string name)
    {
        var kernel = Find(name);
        yield return Emit(name);
        if (kernel.Tile.PipelinedInputs > 0) yield return EmitPipelined(kernel);
        if (kernel.Tile.Vectors % 2 == 0) yield return Emit(Split(kernel), kernel.Tile);
    }

    static DotProductKey Split(DotProductKernel kernel) => Key(kernel, kernel.Tile.Rows) with { Vectors = kernel.Tile.Vectors / 2, Split = true };

    static DotProductKey Key(DotProductKernel kernel, int rows) => new(rows, kernel.Tile.Vectors, Masked: true, Inputs, Epilogue.TableGelu);

    static List<Instruction> Emit(DotProductKey key, DotProductTile tile) => Decode(new DotProductEmitter(key, tile).Emit());

    static List<Instruction> Decode(byte[] code)
    {
        var decoder = Decoder.Create(64, code);
        var instructions = new List<Instruction>();
        while (decoder.IP < (ulong)code.Length) instructions.Add(decoder.Decode());
        return instructions;
    }

    [Theory, MemberData(nameof(Names))]
    public void A_tile_adds_once_for_each_vector_and_group(string name)
    {
        var tile = Find(name).Tile;
        var products = tile.Products == ProductForm.DotProduct ? Mnemonic.Vpdpbusd : Mnemonic.Vpmaddubsw;
        // 35 inputs are 8 groups in a loop of two rounds of 4, and a rest of 3.
        Assert.Equal(tile.Rows * tile.Vectors * (4 + 1), Emit(name).Count(i => i.Mnemonic == products));
    }

    [Theory, MemberData(nameof(Names))]
    public void Every_instruction_is_valid_and_the_last_returns(string name)
    {
        foreach (var code in EmitAll(name))
        {
            Assert.All(code, instruction => Assert.NotEqual(Code.INVALID, instruction.Code));
            Assert.Equal(Mnemonic.Ret, code[^1].Mnemonic);
            Assert.Contains(code, i => i.Mnemonic == Mnemonic.Vzeroupper);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Only_registers_that_a_callee_may_change_are_changed_on_System_V(string name)
    {
        Register[] preserved = [Register.RBX, Register.RBP, Register.RSP, Register.R12, Register.R13, Register.R14, Register.R15];
        var factory = new InstructionInfoFactory();
        foreach (var instruction in EmitAll(name).SelectMany(code => code.SkipLast(1)))
            foreach (var used in factory.GetInfo(instruction).GetUsedRegisters())
                if (used.Access is OpAccess.Write or OpAccess.ReadWrite) Assert.DoesNotContain(used.Register.GetFullRegister(), preserved);
    }

    /// <summary>The sums of both halves of a panel, and each of them once to doubles, two halves a vector.</summary>
    [Theory, MemberData(nameof(NamesOfSplitKernels))]
    public void Split_weights_take_two_sums_an_output(string name)
    {
        var kernel = Find(name);
        var (whole, split) = (Emit(name), Emit(Split(kernel), kernel.Tile));
        foreach (var mnemonic in new[] { Mnemonic.Vpdpbusd, Mnemonic.Vpmaddubsw })
            Assert.Equal(whole.Count(i => i.Mnemonic == mnemonic), split.Count(i => i.Mnemonic == mnemonic));
        Assert.Equal(2 * kernel.Tile.Rows * kernel.Tile.Vectors, split.Count(i => i.Mnemonic == Mnemonic.Vcvtdq2pd));
        Assert.DoesNotContain(split, i => i.Mnemonic == Mnemonic.Vcvtdq2ps);
    }

    [Fact]
    public void Pipelined_sums_and_epilogue_are_written_in_turn()
    {
        var code = EmitPipelined(DotProductKernels.First(kernel => kernel.Tile.PipelinedInputs > 0));
        var products = code.Index().Where(it => it.Item.Mnemonic == Mnemonic.Vpdpbusd).Select(it => it.Index).ToList();
        // The first sums, with a loop as above, and two that have an epilogue among their eight groups.
        Assert.Equal(3 * 4 * (4 + 1) + 2 * 3 * 4 * (8 + 1), products.Count);
        Assert.Equal(2 * 3 * 4, code.Take(products[^1]).Count(i => i.Mnemonic == Mnemonic.Vcvtdq2ps));
    }

    /// <summary>What every x86-64 processor has, and what each name promises beyond that.</summary>
    [Theory, MemberData(nameof(Names))]
    public void Only_instructions_that_the_name_promises_are_used(string name)
    {
        var isa = Find(name).Name.Isa;
        List<CpuidFeature> allowed =
            [CpuidFeature.X64, CpuidFeature.INTEL386, CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.CMOV, CpuidFeature.SSE,
                CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.FMA];
        if (isa == KernelIsa.AvxVnni) allowed.Add(CpuidFeature.AVX_VNNI);
        if (isa == KernelIsa.Avx512Vnni) allowed.AddRange([CpuidFeature.AVX512F, CpuidFeature.AVX512_VNNI]);
        Assert.Empty(EmitAll(name).SelectMany(code => code).SelectMany(i => i.Code.CpuidFeatures()).Except(allowed));
    }

    [Theory, MemberData(nameof(NamesWithTwins))]
    public void A_twin_differs_in_the_encoding_of_dot_products_only(string name)
    {
        var kernel = Find(name);
        var differences = Emit(name).Zip(Emit(kernel, KernelRows.Twin(kernel.Tile))).Where(pair => pair.First.Code != pair.Second.Code).ToList();
        Assert.Equal(kernel.Tile.Rows * kernel.Tile.Vectors * (4 + 1), differences.Count);
        Assert.All(differences, pair =>
        {
            Assert.Equal((Code.VEX_Vpdpbusd_ymm_ymm_ymmm256, Code.EVEX_Vpdpbusd_ymm_k1z_ymm_ymmm256b32), (pair.First.Code, pair.Second.Code));
            Assert.Equal(Operands(pair.First), Operands(pair.Second));
        });
    }

    static (Register, Register, Register) Operands(Instruction it) => (it.Op0Register, it.Op1Register, it.Op2Register);

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
        var cache = new CodeCache<int>("test", key => { lock (generated) generated.Add(key); return [0xC3]; });
        Parallel.For(0, 100, i => cache.Get(i % 3));
        Assert.Equal([0, 1, 2], generated.Order());
        Assert.Equal(cache.Get(1), cache.Get(1));
        Assert.NotEqual(cache.Get(1), cache.Get(2));
    }
}
