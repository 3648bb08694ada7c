using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>4 lanes of float32.</summary>
readonly unsafe struct FloatLanes128(Vector128<float> value) : IFloatLanes<FloatLanes128>
{
    readonly Vector128<float> _value = value;

    public static int Count => Vector128<float>.Count;

    public static FloatLanes128 Create(float value) => new(Vector128.Create(value));

    public static FloatLanes128 Load(float* source) => new(Vector128.Load(source));

    public static FloatLanes128 LoadInt32(int* source) => new(Vector128.ConvertToSingle(Vector128.Load(source)));

    public static FloatLanes128 LoadInt32(int* source, int* addend) =>
        new(Vector128.ConvertToSingle(Vector128.Load(source) + Vector128.Load(addend)));

    public uint PositiveBits() => Vector128.GreaterThan(_value, Vector128<float>.Zero).ExtractMostSignificantBits();

    public static FloatLanes128 LoadInt64(long* source) => new(Vector128.Narrow(
        Vector128.ConvertToDouble(Vector128.Load(source)), Vector128.ConvertToDouble(Vector128.Load(source + Vector128<long>.Count))));

    public void Store(float* destination) => _value.Store(destination);

    public void StoreBytes(byte* destination)
    {
        var integers = Vector128.ConvertToInt32Native(_value).AsUInt32();
        var words = Vector128.Narrow(integers, integers);
        *(uint*)destination = Vector128.Narrow(words, words).AsUInt32().ToScalar();
    }

    public static FloatLanes128 operator +(FloatLanes128 left, FloatLanes128 right) => new(left._value + right._value);

    public static FloatLanes128 operator -(FloatLanes128 left, FloatLanes128 right) => new(left._value - right._value);

    public static FloatLanes128 operator *(FloatLanes128 left, FloatLanes128 right) => new(left._value * right._value);

    public static FloatLanes128 operator /(FloatLanes128 left, FloatLanes128 right) => new(left._value / right._value);

    public static FloatLanes128 MultiplyAdd(FloatLanes128 left, FloatLanes128 right, FloatLanes128 addend) =>
        new(Vector128.MultiplyAddEstimate(left._value, right._value, addend._value));

    public static FloatLanes128 Abs(FloatLanes128 value) => new(Vector128.Abs(value._value));

    public static FloatLanes128 Max(FloatLanes128 left, FloatLanes128 right) => new(Vector128.MaxNative(left._value, right._value));

    public static FloatLanes128 Min(FloatLanes128 left, FloatLanes128 right) => new(Vector128.MinNative(left._value, right._value));

    public static FloatLanes128 Round(FloatLanes128 value) => new(Vector128.Round(value._value));

    public static FloatLanes128 PowerOfTwo(FloatLanes128 n) =>
        new(((Vector128.ConvertToInt32Native(n._value) + Vector128.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreQuantized(byte* destination) => (Round(this) + Create(128)).StoreBytes(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreSaturated(byte* destination) => Min(Round(this), Create(255)).StoreBytes(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreQuantized(FloatLanes128 a, FloatLanes128 b, FloatLanes128 c, FloatLanes128 d, byte* destination)
    {
        a.StoreQuantized(destination);
        b.StoreQuantized(destination + Count);
        c.StoreQuantized(destination + 2 * Count);
        d.StoreQuantized(destination + 3 * Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSaturated(FloatLanes128 a, FloatLanes128 b, FloatLanes128 c, FloatLanes128 d, byte* destination)
    {
        a.StoreSaturated(destination);
        b.StoreSaturated(destination + Count);
        c.StoreSaturated(destination + 2 * Count);
        d.StoreSaturated(destination + 3 * Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSignedQuads(FloatLanes128 a, FloatLanes128 b, FloatLanes128 c, FloatLanes128 d, byte* destination)
    {
        var sum = (((((ToWhole(d) << 8) + ToWhole(c)) << 8) + ToWhole(b)) << 8) + ToWhole(a);
        // With 128 added to each byte none borrows from the next; inverting the highest bit takes it off again.
        var signs = Vector128.Create(unchecked((int)0x80808080));
        ((sum + signs) ^ signs).Store((int*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<int> ToWhole(FloatLanes128 value) => Vector128.ConvertToInt32Native(Vector128.Round(value._value));

    public static FloatLanes128 LookUp32(float* table, FloatLanes128 index) => new(LookUp(table, index._value.AsInt32() & Vector128.Create(31)));

    internal static Vector128<float> LookUp(float* table, Vector128<int> lines) =>
        Vector128.Create(table[lines[0]], table[lines[1]], table[lines[2]], table[lines[3]]);

    /// <summary>Halves are added until one lane is left, in every width alike: fewer steps than lane by lane.</summary>
    public float SumLanes()
    {
        var pair = _value + Vector128.Shuffle(_value, Vector128.Create(2, 3, 0, 1));
        return pair[0] + pair[1];
    }

    public float MaxLane()
    {
        var pair = Vector128.MaxNative(_value, Vector128.Shuffle(_value, Vector128.Create(2, 3, 0, 1)));
        return float.MaxNative(pair[0], pair[1]);
    }
}

/// <summary>4 lanes of int32.</summary>
readonly unsafe struct IntegerLanes128(Vector128<int> value) : IIntegerLanes<IntegerLanes128>
{
    readonly Vector128<int> _value = value;

    public static int Count => Vector128<int>.Count;

    public static int Group => 2;

    public static string Schedule => "int16 products of input pairs, added in int32";

    public static IntegerLanes128 Load(int* source) => new(Vector128.Load(source));

    public static IntegerLanes128 operator +(IntegerLanes128 left, IntegerLanes128 right) => new(left._value + right._value);

    public static IntegerLanes128 LoadWeights(sbyte* weights) =>
        new(Vector128.WidenLower(Vector64.Load(weights).ToVector128Unsafe()).AsInt32());

    public static void Centre(byte* activations, byte* destination) => LoadCentred(activations).Store((int*)destination);

    public static void CentreOne(byte activation, byte* destination) => *(short*)destination = (short)(activation - 128);

    public static IntegerLanes128 Broadcast(byte* activations) => new(Vector128.Create(*(int*)activations));

    public static IntegerLanes128 AddProducts(IntegerLanes128 accumulator, IntegerLanes128 weights, IntegerLanes128 activations) =>
        new(accumulator._value + PairProducts(weights._value, activations._value));

    public void Store(int* destination) => _value.Store(destination);

    /// <summary>Sign extension makes q of the bytes 0..127 and q - 256 of the others: bits 7..15 inverted, both are q - 128.</summary>
    public static IntegerLanes128 LoadCentred(byte* activations) =>
        new((LoadWeights((sbyte*)activations)._value.AsUInt16() ^ Vector128.Create((ushort)0xFF80)).AsInt32());

    public static Vector128<int> SumEach(IntegerLanes128 a, IntegerLanes128 b, IntegerLanes128 c, IntegerLanes128 d) => Ssse3.IsSupported
        ? Ssse3.HorizontalAdd(Ssse3.HorizontalAdd(a._value, b._value), Ssse3.HorizontalAdd(c._value, d._value))
        : Vector128.Create(Vector128.Sum(a._value), Vector128.Sum(b._value), Vector128.Sum(c._value), Vector128.Sum(d._value));

    static Vector128<int> PairProducts(Vector128<int> x, Vector128<int> y) =>
        Sse2.IsSupported ? Sse2.MultiplyAddAdjacent(x.AsInt16(), y.AsInt16()) : ExtendedPairProducts(x, y);

    /// <summary>Without the instruction: the low halves sign-extended by two shifts, the high ones by one.</summary>
    public static Vector128<int> ExtendedPairProducts(Vector128<int> x, Vector128<int> y) =>
        ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
}
