using System.Runtime.InteropServices;
using ShiftAddVit.Checkpoints;

namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>Conversions against values worked out by hand from the bit layouts of IEEE 754 and two's complement.</summary>
public class ElementTypesTests
{
    [Theory]
    [InlineData(0x3C00, 1f)]
    [InlineData(0xC100, -2.5f)]
    [InlineData(0x7BFF, 65504f)]
    [InlineData(0x0400, 1f / 16384)]
    [InlineData(0x0001, 1f / 16777216)]
    [InlineData(0x83FF, -1023f / 16777216)]
    [InlineData(0x8000, -0f)]
    public void Binary16_is_exact_including_subnormals(int bits, float expected) => Exactly(ElementType.F16, [(ushort)bits], expected);

    [Theory]
    [InlineData(0x3F80, 1f)]
    [InlineData(0xC020, -2.5f)]
    [InlineData(0x7F7F, 3.3895314e38f)]
    [InlineData(0x0080, 1.17549435e-38f)]
    [InlineData(0x0001, 9.1835e-41f)]
    [InlineData(0x8000, -0f)]
    public void BFloat16_is_the_upper_half_of_a_float(int bits, float expected) => Exactly(ElementType.BF16, [(ushort)bits], expected);

    [Fact]
    public void Binary64_rounds_to_nearest_even() =>
        Exactly(ElementType.F64, [1 + Math.Pow(2, -24), 1 + 3 * Math.Pow(2, -24), -1e-50, 0.1], 1f, 1 + 4 * MathF.Pow(2, -24), -0f, 0.1f);

    [Fact]
    public void Binary32_keeps_its_bits() =>
        Exactly(ElementType.F32, [float.Epsilon, -float.MaxValue, -0f], float.Epsilon, -float.MaxValue, -0f);

    [Fact]
    public void Small_integers_are_exact()
    {
        Exactly(ElementType.I8, new sbyte[] { -128, -1, 0, 127 }, -128, -1, 0, 127);
        Exactly(ElementType.U8, new byte[] { 0, 128, 255 }, 0, 128, 255);
    }

    [Fact]
    public void Large_integers_round_to_nearest_even()
    {
        Exactly(ElementType.I32, [16777217, 16777219, int.MinValue], 16777216, 16777220, -2147483648f);
        Exactly(ElementType.I64, [(1L << 53) + 1, long.MinValue, -3], 9007199254740992f, -9223372036854775808f, -3);
    }

    [Fact]
    public void Names_of_safetensors_are_those_of_the_enumeration()
    {
        foreach (var type in Enum.GetValues<ElementType>()) Assert.Equal(type, ElementTypes.FromSafetensors(type.ToString()));
        Assert.Null(ElementTypes.FromSafetensors(null));
    }

    static void Exactly<T>(ElementType type, T[] stored, params float[] expected) where T : unmanaged
    {
        var actual = new float[expected.Length];
        type.ToFloat32(MemoryMarshal.AsBytes<T>(stored), actual);
        Assert.Equal(Marshal.SizeOf<T>(), type.Bytes());
        Assert.Equal(expected.Select(BitConverter.SingleToUInt32Bits), actual.Select(BitConverter.SingleToUInt32Bits));
    }
}
