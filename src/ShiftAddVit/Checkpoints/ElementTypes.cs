using System.Numerics;
using System.Runtime.InteropServices;

namespace ShiftAddVit.Checkpoints;

/// <summary>Sizes, names and conversions of the element types. Files and every supported machine are little-endian.</summary>
static class ElementTypes
{
    public const int MaxBytes = 8;

    /// <summary>Bytes an element takes.</summary>
    public static int Bytes(this ElementType type) => type switch
    {
        ElementType.F64 or ElementType.I64 => 8,
        ElementType.F32 or ElementType.I32 => 4,
        ElementType.F16 or ElementType.BF16 => 2,
        _ => 1,
    };

    /// <summary>The type that a safetensors header names; null if there is none.</summary>
    public static ElementType? FromSafetensors(string? dtype) => dtype switch
    {
        "F64" => ElementType.F64,
        "F32" => ElementType.F32,
        "F16" => ElementType.F16,
        "BF16" => ElementType.BF16,
        "I8" => ElementType.I8,
        "U8" => ElementType.U8,
        "I32" => ElementType.I32,
        "I64" => ElementType.I64,
        _ => null,
    };

    /// <summary>The type of the elements of a storage class of PyTorch; null if it is not one.</summary>
    public static ElementType? FromTorch(string global) => global switch
    {
        "torch.DoubleStorage" => ElementType.F64,
        "torch.FloatStorage" => ElementType.F32,
        "torch.HalfStorage" => ElementType.F16,
        "torch.BFloat16Storage" => ElementType.BF16,
        "torch.CharStorage" => ElementType.I8,
        "torch.ByteStorage" => ElementType.U8,
        "torch.IntStorage" => ElementType.I32,
        "torch.LongStorage" => ElementType.I64,
        _ => null,
    };

    /// <summary>Converts elements to float32, rounding to nearest even; what lies beyond its range becomes infinite.</summary>
    public static void ToFloat32(this ElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case ElementType.F32: MemoryMarshal.Cast<byte, float>(source).CopyTo(destination); break;
            case ElementType.F64: Convert<double>(source, destination); break;
            case ElementType.F16: Convert<Half>(source, destination); break;
            case ElementType.BF16: ConvertBFloat16(source, destination); break;
            case ElementType.I8: Convert<sbyte>(source, destination); break;
            case ElementType.U8: Convert<byte>(source, destination); break;
            case ElementType.I32: Convert<int>(source, destination); break;
            default: Convert<long>(source, destination); break;
        }
    }

    /// <summary>
    /// Converts float32 to F64, F32, F16 or BF16, rounding to nearest even; what lies beyond the range of the type becomes infinite.
    /// </summary>
    public static void FromFloat32(this ElementType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (type)
        {
            case ElementType.F32: source.CopyTo(MemoryMarshal.Cast<byte, float>(destination)); break;
            case ElementType.F64: Widen(source, MemoryMarshal.Cast<byte, double>(destination)); break;
            case ElementType.F16: Narrow(source, MemoryMarshal.Cast<byte, Half>(destination)); break;
            case ElementType.BF16: ConvertToBFloat16(source, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "only floating-point types are written");
        }
    }

    static void Widen(ReadOnlySpan<float> source, Span<double> destination)
    {
        for (var i = 0; i < source.Length; i++) destination[i] = source[i];
    }

    static void Narrow(ReadOnlySpan<float> source, Span<Half> destination)
    {
        for (var i = 0; i < source.Length; i++) destination[i] = (Half)source[i];
    }

    static void ConvertToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        for (var i = 0; i < source.Length; i++)
        {
            // Half a unit of the bits cut off, less one where the bit kept is even, carries exactly when nearest even is above.
            var bits = BitConverter.SingleToUInt32Bits(source[i]);
            destination[i] = (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    static void Convert<T>(ReadOnlySpan<byte> source, Span<float> destination) where T : unmanaged, INumberBase<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(source);
        for (var i = 0; i < values.Length; i++) destination[i] = float.CreateTruncating(values[i]);
    }

    static void ConvertBFloat16(ReadOnlySpan<byte> source, Span<float> destination)
    {
        var values = MemoryMarshal.Cast<byte, ushort>(source);
        for (var i = 0; i < values.Length; i++) destination[i] = BitConverter.UInt32BitsToSingle((uint)values[i] << 16);
    }
}
