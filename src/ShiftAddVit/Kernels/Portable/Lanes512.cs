using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>16 lanes of float32.</summary>
readonly unsafe struct FloatLanes512(Vector512<float> value) : IFloatLanes<FloatLanes512>
{
    readonly Vector512<float> _value = value;

    public static int Count => Vector512<float>.Count;

    public static FloatLanes512 Create(float value) => new(Vector512.Create(value));

    public static FloatLanes512 Load(float* source) => new(Vector512.Load(source));

    public static FloatLanes512 LoadInt32(int* source) => new(Vector512.ConvertToSingle(Vector512.Load(source)));

    public static FloatLanes512 LoadInt32(int* source, int* addend) =>
        new(Vector512.ConvertToSingle(Vector512.Load(source) + Vector512.Load(addend)));

    public uint PositiveBits() => (uint)Vector512.GreaterThan(_value, Vector512<float>.Zero).ExtractMostSignificantBits();

    public static FloatLanes512 LoadInt64(long* source) => new(Vector512.Narrow(
        Vector512.ConvertToDouble(Vector512.Load(source)), Vector512.ConvertToDouble(Vector512.Load(source + Vector512<long>.Count))));

    public void Store(float* destination) => _value.Store(destination);

    public void StoreBytes(byte* destination)
    {
        var integers = Vector512.ConvertToInt32Native(_value).AsUInt32();
        var words = Vector512.Narrow(integers, integers);
        Vector256.Narrow(words.GetLower(), words.GetLower()).GetLower().Store(destination);
    }

    public static FloatLanes512 operator +(FloatLanes512 left, FloatLanes512 right) => new(left._value + right._value);

    public static FloatLanes512 operator -(FloatLanes512 left, FloatLanes512 right) => new(left._value - right._value);

    public static FloatLanes512 operator *(FloatLanes512 left, FloatLanes512 right) => new(left._value * right._value);

    public static FloatLanes512 operator /(FloatLanes512 left, FloatLanes512 right) => new(left._value / right._value);

    public static FloatLanes512 MultiplyAdd(FloatLanes512 left, FloatLanes512 right, FloatLanes512 addend) =>
        new(Vector512.MultiplyAddEstimate(left._value, right._value, addend._value));

    public static FloatLanes512 Abs(FloatLanes512 value) => new(Vector512.Abs(value._value));

    public static FloatLanes512 Max(FloatLanes512 left, FloatLanes512 right) => new(Vector512.MaxNative(left._value, right._value));

    public static FloatLanes512 Min(FloatLanes512 left, FloatLanes512 right) => new(Vector512.MinNative(left._value, right._value));

    public static FloatLanes512 Round(FloatLanes512 value) => new(Vector512.Round(value._value));

    public static FloatLanes512 PowerOfTwo(FloatLanes512 n) =>
        new(((Vector512.ConvertToInt32Native(n._value) + Vector512.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreQuantized(byte* destination)
    {
        if (!Avx512F.IsSupported) (Round(this) + Create(128)).StoreBytes(destination);
        else (Avx512F.ConvertToVector128SByte(Avx512F.ConvertToVector512Int32(_value)).AsByte() ^ Vector128.Create((byte)128)).Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreSaturated(byte* destination)
    {
        if (!Avx512F.IsSupported) Min(Round(this), Create(255)).StoreBytes(destination);
        else Avx512F.ConvertToVector128ByteWithSaturation(Avx512F.ConvertToVector512UInt32(_value)).Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreQuantized(FloatLanes512 a, FloatLanes512 b, FloatLanes512 c, FloatLanes512 d, byte* destination)
    {
        if (Avx512BW.IsSupported)
        {
            var ab = Avx512BW.PackSignedSaturate(ToInt32(a), ToInt32(b));
            var cd = Avx512BW.PackSignedSaturate(ToInt32(c), ToInt32(d));
            (InOrder(Avx512BW.PackSignedSaturate(ab, cd).AsInt32()) ^ Vector512.Create((byte)128)).Store(destination);
            return;
        }
        a.StoreQuantized(destination);
        b.StoreQuantized(destination + Count);
        c.StoreQuantized(destination + 2 * Count);
        d.StoreQuantized(destination + 3 * Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSaturated(FloatLanes512 a, FloatLanes512 b, FloatLanes512 c, FloatLanes512 d, byte* destination)
    {
        if (Avx512BW.IsSupported)
        {
            var ab = Avx512BW.PackUnsignedSaturate(ToByteRange(a), ToByteRange(b)).AsInt16();
            var cd = Avx512BW.PackUnsignedSaturate(ToByteRange(c), ToByteRange(d)).AsInt16();
            InOrder(Avx512BW.PackUnsignedSaturate(ab, cd).AsInt32()).Store(destination);
            return;
        }
        a.StoreSaturated(destination);
        b.StoreSaturated(destination + Count);
        c.StoreSaturated(destination + 2 * Count);
        d.StoreSaturated(destination + 3 * Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> ToInt32(FloatLanes512 value) => Avx512F.ConvertToVector512Int32(value._value);

    /// <summary>What exceeds uint32 converts to its largest number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> ToByteRange(FloatLanes512 value) =>
        Vector512.Min(Avx512F.ConvertToVector512UInt32(value._value), Vector512.Create((uint)byte.MaxValue)).AsInt32();

    /// <summary>Packing works in quarters of 128 bits: quarter i holds four bytes from quarter i of each operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<byte> InOrder(Vector512<int> packed) =>
        Avx512F.PermuteVar16x32(packed, Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSignedQuads(FloatLanes512 a, FloatLanes512 b, FloatLanes512 c, FloatLanes512 d, byte* destination)
    {
        var sum = (((((ToWhole(d) << 8) + ToWhole(c)) << 8) + ToWhole(b)) << 8) + ToWhole(a);
        // With 128 added to each byte none borrows from the next; inverting the highest bit takes it off again.
        var signs = Vector512.Create(unchecked((int)0x80808080));
        ((sum + signs) ^ signs).Store((int*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<int> ToWhole(FloatLanes512 value) =>
        Avx512F.IsSupported ? ToInt32(value) : Vector512.ConvertToInt32Native(Vector512.Round(value._value));

    public static FloatLanes512 LookUp32(float* table, FloatLanes512 index)
    {
        if (Avx512F.IsSupported)
            return new(Avx512F.PermuteVar16x32x2(Vector512.Load(table), index._value.AsInt32(), Vector512.Load(table + Vector512<float>.Count)));
        var (lower, upper) = (new FloatLanes256(index._value.GetLower()), new FloatLanes256(index._value.GetUpper()));
        return new(Vector512.Create(FloatLanes256.LookUp32(table, lower)._value, FloatLanes256.LookUp32(table, upper)._value));
    }

    public float SumLanes() => new FloatLanes256(_value.GetLower() + _value.GetUpper()).SumLanes();

    public float MaxLane()
    {
        return new FloatLanes256(Vector256.MaxNative(_value.GetLower(), _value.GetUpper())).MaxLane();
    }
}

/// <summary>16 lanes of int32.</summary>
readonly unsafe struct IntegerLanes512(Vector512<int> value) : IIntegerLanes<IntegerLanes512>
{
    readonly Vector512<int> _value = value;

    public static int Count => Vector512<int>.Count;

    public static int Group => 2;

    public static string Schedule => "int16 products of input pairs, added in int32";

    public static IntegerLanes512 Load(int* source) => new(Vector512.Load(source));

    public static IntegerLanes512 operator +(IntegerLanes512 left, IntegerLanes512 right) => new(left._value + right._value);

    public static IntegerLanes512 LoadWeights(sbyte* weights) =>
        new(Vector512.WidenLower(Vector256.Load(weights).ToVector512Unsafe()).AsInt32());

    public static void Centre(byte* activations, byte* destination) => LoadCentred(activations).Store((int*)destination);

    public static void CentreOne(byte activation, byte* destination) => *(short*)destination = (short)(activation - 128);

    public static IntegerLanes512 Broadcast(byte* activations) => new(Vector512.Create(*(int*)activations));

    public static IntegerLanes512 AddProducts(IntegerLanes512 accumulator, IntegerLanes512 weights, IntegerLanes512 activations) =>
        new(accumulator._value + PairProducts(weights._value, activations._value));

    public void Store(int* destination) => _value.Store(destination);

    /// <summary>Sign extension makes q of the bytes 0..127 and q - 256 of the others: bits 7..15 inverted, both are q - 128.</summary>
    public static IntegerLanes512 LoadCentred(byte* activations) =>
        new((LoadWeights((sbyte*)activations)._value.AsUInt16() ^ Vector512.Create((ushort)0xFF80)).AsInt32());

    public static Vector128<int> SumEach(IntegerLanes512 a, IntegerLanes512 b, IntegerLanes512 c, IntegerLanes512 d) =>
        IntegerLanes256.SumEach(a.Halves(), b.Halves(), c.Halves(), d.Halves());

    IntegerLanes256 Halves() => new(_value.GetLower() + _value.GetUpper());

    static Vector512<int> PairProducts(Vector512<int> x, Vector512<int> y) =>
        Avx512BW.IsSupported ? Avx512BW.MultiplyAddAdjacent(x.AsInt16(), y.AsInt16()) : ExtendedPairProducts(x, y);

    /// <summary>Without the instruction: the low halves sign-extended by two shifts, the high ones by one.</summary>
    public static Vector512<int> ExtendedPairProducts(Vector512<int> x, Vector512<int> y) =>
        ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
}
