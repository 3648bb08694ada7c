using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// For each activation q the 16 values of w * (q - 128) + 8192, w the value of a P4 code: 0..16384, as low + 128 * high. Both are at most 127,
/// but for 16384: there the even tables take low = 128 and the odd ones high = 128, so that a byte of each adds up to at most 255.
/// </summary>
static unsafe class LookUpTables
{
    const int Codes = 16;

    static readonly AlignedBuffer Memory = Build();

    /// <summary>Bytes of the tables of one activation: the low bytes of all codes, then the high ones.</summary>
    public const int Bytes = 2 * Codes;

    /// <summary>The tables of all 256 activations for even terms, then those for odd terms.</summary>
    public static byte* Even { get; } = Memory.Pointer;

    public static byte* Odd { get; } = Memory.Pointer + 256 * Bytes;

    static AlignedBuffer Build()
    {
        var memory = new AlignedBuffer(2 * 256 * Bytes);
        for (var q = 0; q < 256; q++)
            for (var code = 0; code < Codes; code++)
            {
                var value = P4.Decode(code) * (q - 128) + LookUpTileEmitter.Bias;
                Set(memory.AsSpan<byte>()[(q * Bytes)..], code, value, int.Min(value >> 7, 127));
                Set(memory.AsSpan<byte>()[((256 + q) * Bytes)..], code, value, value >> 7);
            }
        return memory;
    }

    static void Set(Span<byte> table, int code, int value, int high) =>
        (table[code], table[Codes + code]) = ((byte)(value - 128 * high), (byte)high);
}
