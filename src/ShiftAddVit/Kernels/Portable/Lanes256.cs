using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>8 lanes of float32.</summary>
readonly unsafe struct FloatLanes256(Vector256<float> value) : IFloatLanes<FloatLanes256>
{
    internal readonly Vector256<float> _value = value;

    public static int Count => Vector256<float>.Count;

    public static FloatLanes256 Create(float value) => new(Vector256.Create(value));

    public static FloatLanes256 Load(float* source) => new(Vector256.Load(source));

    public static FloatLanes256 LoadInt32(int* source) => new(Vector256.ConvertToSingle(Vector256.Load(source)));

    public static FloatLanes256 LoadInt32(int* source, int* addend) =>
        new(Vector256.ConvertToSingle(Vector256.Load(source) + Vector256.Load(addend)));

    public uint PositiveBits() => Vector256.GreaterThan(_value, Vector256<float>.Zero).ExtractMostSignificantBits();

    public static FloatLanes256 LoadInt64(long* source) => new(Vector256.Narrow(
        Vector256.ConvertToDouble(Vector256.Load(source)), Vector256.ConvertToDouble(Vector256.Load(source + Vector256<long>.Count))));

    public void Store(float* destination) => _value.Store(destination);

    public void StoreBytes(byte* destination)
    {
        var integers = Vector256.ConvertToInt32Native(_value).AsUInt32();
        var words = Vector256.Narrow(integers, integers);
        Vector128.Narrow(words.GetLower(), words.GetLower()).GetLower().Store(destination);
    }

    public static FloatLanes256 operator +(FloatLanes256 left, FloatLanes256 right) => new(left._value + right._value);

    public static FloatLanes256 operator -(FloatLanes256 left, FloatLanes256 right) => new(left._value - right._value);

    public static FloatLanes256 operator *(FloatLanes256 left, FloatLanes256 right) => new(left._value * right._value);

    public static FloatLanes256 operator /(FloatLanes256 left, FloatLanes256 right) => new(left._value / right._value);

    public static FloatLanes256 MultiplyAdd(FloatLanes256 left, FloatLanes256 right, FloatLanes256 addend) =>
        new(Vector256.MultiplyAddEstimate(left._value, right._value, addend._value));

    public static FloatLanes256 Abs(FloatLanes256 value) => new(Vector256.Abs(value._value));

    public static FloatLanes256 Max(FloatLanes256 left, FloatLanes256 right) => new(Vector256.MaxNative(left._value, right._value));

    public static FloatLanes256 Min(FloatLanes256 left, FloatLanes256 right) => new(Vector256.MinNative(left._value, right._value));

    public static FloatLanes256 Round(FloatLanes256 value) => new(Vector256.Round(value._value));

    public static FloatLanes256 PowerOfTwo(FloatLanes256 n) =>
        new(((Vector256.ConvertToInt32Native(n._value) + Vector256.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreQuantized(byte* destination) => (Round(this) + Create(128)).StoreBytes(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StoreSaturated(byte* destination) => Min(Round(this), Create(255)).StoreBytes(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreQuantized(FloatLanes256 a, FloatLanes256 b, FloatLanes256 c, FloatLanes256 d, byte* destination)
    {
        a.StoreQuantized(destination);
        b.StoreQuantized(destination + Count);
        c.StoreQuantized(destination + 2 * Count);
        d.StoreQuantized(destination + 3 * Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSaturated(FloatLanes256 a, FloatLanes256 b, FloatLanes256 c, FloatLanes256 d, byte* destination)
    {
        a.StoreSaturated(destination);
        b.StoreSaturated(destination + Count);
        c.StoreSaturated(destination + 2 * Count);
        d.StoreSaturated(destination + 3 * Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSignedQuads(FloatLanes256 a, FloatLanes256 b, FloatLanes256 c, FloatLanes256 d, byte* destination)
    {
        var sum = (((((ToWhole(d) << 8) + ToWhole(c)) << 8) + ToWhole(b)) << 8) + ToWhole(a);
        // With 128 added to each byte none borrows from the next; inverting the highest bit takes it off again.
        var signs = Vector256.Create(unchecked((int)0x80808080));
        ((sum + signs) ^ signs).Store((int*)destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<int> ToWhole(FloatLanes256 value) => Vector256.ConvertToInt32Native(Vector256.Round(value._value));

    public static FloatLanes256 LookUp32(float* table, FloatLanes256 index)
    {
        var lines = index._value.AsInt32() & Vector256.Create(31);
        if (Avx2.IsSupported) return new(Avx2.GatherVector256(table, lines, sizeof(float)));
        return new(Vector256.Create(FloatLanes128.LookUp(table, lines.GetLower()), FloatLanes128.LookUp(table, lines.GetUpper())));
    }

    public float SumLanes() => new FloatLanes128(_value.GetLower() + _value.GetUpper()).SumLanes();

    public float MaxLane()
    {
        return new FloatLanes128(Vector128.MaxNative(_value.GetLower(), _value.GetUpper())).MaxLane();
    }
}

/// <summary>8 lanes of int32.</summary>
readonly unsafe struct IntegerLanes256(Vector256<int> value) : IIntegerLanes<IntegerLanes256>
{
    readonly Vector256<int> _value = value;

    public static int Count => Vector256<int>.Count;

    public static int Group => 2;

    public static string Schedule => "int16 products of input pairs, added in int32";

    public static IntegerLanes256 Load(int* source) => new(Vector256.Load(source));

    public static IntegerLanes256 operator +(IntegerLanes256 left, IntegerLanes256 right) => new(left._value + right._value);

    public static IntegerLanes256 LoadWeights(sbyte* weights) =>
        new(Vector256.WidenLower(Vector128.Load(weights).ToVector256Unsafe()).AsInt32());

    public static void Centre(byte* activations, byte* destination) => LoadCentred(activations).Store((int*)destination);

    public static void CentreOne(byte activation, byte* destination) => *(short*)destination = (short)(activation - 128);

    public static IntegerLanes256 Broadcast(byte* activations) => new(Vector256.Create(*(int*)activations));

    public static IntegerLanes256 AddProducts(IntegerLanes256 accumulator, IntegerLanes256 weights, IntegerLanes256 activations) =>
        new(accumulator._value + PairProducts(weights._value, activations._value));

    public void Store(int* destination) => _value.Store(destination);

    /// <summary>Sign extension makes q of the bytes 0..127 and q - 256 of the others: bits 7..15 inverted, both are q - 128.</summary>
    public static IntegerLanes256 LoadCentred(byte* activations) =>
        new((LoadWeights((sbyte*)activations)._value.AsUInt16() ^ Vector256.Create((ushort)0xFF80)).AsInt32());

    /// <summary>Pairs are added within halves of 128 bits.</summary>
    public static Vector128<int> SumEach(IntegerLanes256 a, IntegerLanes256 b, IntegerLanes256 c, IntegerLanes256 d)
    {
        if (!Avx2.IsSupported) return IntegerLanes128.SumEach(a.Halves(), b.Halves(), c.Halves(), d.Halves());
        var sums = Avx2.HorizontalAdd(Avx2.HorizontalAdd(a._value, b._value), Avx2.HorizontalAdd(c._value, d._value));
        return sums.GetLower() + sums.GetUpper();
    }

    IntegerLanes128 Halves() => new(_value.GetLower() + _value.GetUpper());

    static Vector256<int> PairProducts(Vector256<int> x, Vector256<int> y) =>
        Avx2.IsSupported ? Avx2.MultiplyAddAdjacent(x.AsInt16(), y.AsInt16()) : ExtendedPairProducts(x, y);

    /// <summary>Without the instruction: the low halves sign-extended by two shifts, the high ones by one.</summary>
    public static Vector256<int> ExtendedPairProducts(Vector256<int> x, Vector256<int> y) =>
        ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
}
