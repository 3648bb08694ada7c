using Iced.Intel;
using ShiftAddVit.Kernels.Jit;

namespace ShiftAddVit.Tests.Kernels.Jit;

/// <summary>What the code of the tiles is made of, read back from its bytes.</summary>
public class TileCodeTests
{
    /// <summary>Every kind, whole and cut short, with a loop and with what is left over behind it.</summary>
    public static TheoryData<string> Kinds => [.. Enum.GetNames<TileKind>()];

    static TileKey Whole(string kind) => Enum.Parse<TileKind>(kind) switch
    {
        TileKind.Fma or TileKind.FakeShift => Key(kind, FmaTileEmitter.MaxRows, FmaTileEmitter.MaxVectors),
        TileKind.ShiftP4 or TileKind.ShiftP4P4 => Key(kind, ShiftTileEmitter.MaxRows, 2),
        TileKind.LookUp or TileKind.LookUpAdd => Key(kind, LookUpTileEmitter.MaxRows, LookUpTileEmitter.MaxVectors),
        TileKind.Popcount => Key(kind, PopcountTileEmitter.MaxRows, PopcountTileEmitter.MaxVectors),
        TileKind.PopcountRows => Key(kind, 1, PopcountTileEmitter.MaxVectors) with { Length = ShortCode },
        TileKind.MaskedTokens => Key(kind, MaskedTokensEmitter.MaxRows, MaskedTokensEmitter.MaxVectors) with { Masked = false },
        TileKind.MaskedCodes => Key(kind, MaskedCodesEmitter.MaxRows, MaskedCodesEmitter.MaxVectors) with { Length = ShortCode },
        TileKind.LookUpCodes => Key(kind, LookUpCodesEmitter.MaxRows, LookUpCodesEmitter.MaxVectors) with { Length = ShortCode },
        _ => Key(kind, DistanceTileEmitter.MaxRows, DistanceTileEmitter.MaxVectors),
    };

    /// <summary>Bits of a code of two words.</summary>
    const int ShortCode = 57;

    static TileKey Key(string kind, int rows, int vectors) => new(Enum.Parse<TileKind>(kind), rows, vectors, Length: 75, Masked: true);

    /// <summary>The instructions up to the return; constants follow it.</summary>
    static List<Instruction> Decode(TileKey key)
    {
        var decoder = Decoder.Create(64, key.Emitter().Emit());
        var instructions = new List<Instruction>();
        do instructions.Add(decoder.Decode());
        while (instructions[^1].Mnemonic != Mnemonic.Ret);
        return instructions;
    }

    [Theory]
    [InlineData("ShiftP4")]
    [InlineData("ShiftP4P4")]
    [InlineData("LookUp")]
    [InlineData("LookUpAdd")]
    [InlineData("MaskedTokens")]
    [InlineData("MaskedCodes")]
    [InlineData("LookUpCodes")]
    public void What_claims_to_shift_and_add_or_look_up_neither_multiplies_nor_takes_dot_products(string kind) =>
        Assert.DoesNotContain(Decode(Whole(kind)), instruction => IsProduct(instruction.Mnemonic));

    static bool IsProduct(Mnemonic mnemonic) =>
        mnemonic.ToString() is var name && (name.Contains("mul", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("Vpmadd", StringComparison.Ordinal) || name.StartsWith("Vpdp", StringComparison.Ordinal)
            || name.StartsWith("Vdp", StringComparison.Ordinal) || name.StartsWith("Vfm", StringComparison.Ordinal)
            || name.StartsWith("Vfnm", StringComparison.Ordinal));

    [Theory]
    [InlineData(Mnemonic.Vpdpbusd)]
    [InlineData(Mnemonic.Vpmaddubsw)]
    [InlineData(Mnemonic.Vpmulld)]
    [InlineData(Mnemonic.Vfmadd231ps)]
    [InlineData(Mnemonic.Imul)]
    [InlineData(Mnemonic.Mulx)]
    public void A_product_is_recognised(Mnemonic mnemonic) => Assert.True(IsProduct(mnemonic));

    [Theory]
    [InlineData("ShiftP4", 1)]
    [InlineData("ShiftP4P4", 1)]
    public void Every_term_is_one_variable_shift_of_each_row(string kind, int rows)
    {
        // 75 terms are 18 groups of four, in a loop of two, and a rest of three.
        var shifts = Decode(Whole(kind) with { Rows = rows }).Count(instruction => instruction.Mnemonic == Mnemonic.Vpsllvw);
        Assert.Equal(2 * 4 + 3, shifts);
    }

    [Fact]
    public void A_token_is_one_add_for_16_code_bits_and_a_channel()
    {
        // 75 tokens are a loop of two and one more; four adds make the places of the outputs.
        var code = Decode(Whole("MaskedTokens") with { Rows = 1, Vectors = 1 });
        Assert.Equal(2 + 1 + 4, code.Count(it => it.Mnemonic == Mnemonic.Vpaddd && it.OpMask == Register.K1));
    }

    [Fact]
    public void Four_code_bits_are_one_load_for_16_channels()
    {
        // 57 code bits are 15 groups, the first of which is loaded and not added.
        var code = Decode(Whole("LookUpCodes") with { Rows = 1, Vectors = 1 });
        var loads = code.Where(it => it.Op0Kind == OpKind.Register && it.MemoryIndex == Register.RDI);
        Assert.Equal([Mnemonic.Vmovdqu32, .. Enumerable.Repeat(Mnemonic.Vpaddd, 14)], loads.Select(it => it.Mnemonic));
    }

    [Fact]
    public void Looking_up_takes_two_shuffles_for_64_terms() =>
        Assert.Equal(2 * 2 * (2 + 1 + 1), Decode(Whole("LookUp") with { Rows = 1, Vectors = 1 }).Count(instruction => instruction.Mnemonic == Mnemonic.Vpshufb));

    [Theory, MemberData(nameof(Kinds))]
    public void Every_instruction_is_valid_and_the_last_two_return(string kind)
    {
        var code = Decode(Whole(kind));
        Assert.All(code, instruction => Assert.NotEqual(Code.INVALID, instruction.Code));
        Assert.Equal(Mnemonic.Vzeroupper, code[^2].Mnemonic);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Only_registers_that_a_callee_may_change_are_changed_on_System_V(string kind)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows preserves others");
        Register[] preserved = [Register.RBX, Register.RBP, Register.RSP, Register.R12, Register.R13, Register.R14, Register.R15];
        var factory = new InstructionInfoFactory();
        foreach (var instruction in Decode(Whole(kind)).SkipLast(1))
            foreach (var used in factory.GetInfo(instruction).GetUsedRegisters())
                if (used.Access is OpAccess.Write or OpAccess.ReadWrite) Assert.DoesNotContain(used.Register.GetFullRegister(), preserved);
    }

    /// <summary>Those whose adds have no masks.</summary>
    public static TheoryData<string> Unmasked => [.. Enum.GetNames<TileKind>().Where(kind => !kind.StartsWith("Masked", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(Unmasked))]
    public void Masks_are_used_only_where_asked_for(string kind)
    {
        var key = Whole(kind) is { Length: ShortCode } shortCode ? shortCode : Whole(kind) with { Length = 72 };
        Assert.Contains(Decode(key), instruction => instruction.OpMask != Register.None);
        Assert.DoesNotContain(Decode(key with { Masked = false }), instruction => instruction.OpMask != Register.None);
    }
}
