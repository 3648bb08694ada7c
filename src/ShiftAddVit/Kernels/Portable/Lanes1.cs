namespace ShiftAddVit.Kernels.Portable;

/// <summary>One float32: what is left of a row when no vector fits any more.</summary>
readonly unsafe struct FloatLanes1(float value) : IFloatLanes<FloatLanes1>
{
    readonly float _value = value;

    public static int Count => 1;

    public static FloatLanes1 Create(float value) => new(value);

    public static FloatLanes1 Load(float* source) => new(*source);

    public static FloatLanes1 LoadInt32(int* source) => new(*source);

    public static FloatLanes1 LoadInt32(int* source, int* addend) => new(*source + *addend);

    public uint PositiveBits() => _value > 0 ? 1u : 0;

    public static FloatLanes1 LoadInt64(long* source) => new(*source);

    public void Store(float* destination) => *destination = _value;

    public void StoreBytes(byte* destination) => *destination = (byte)_value;

    public static FloatLanes1 operator +(FloatLanes1 left, FloatLanes1 right) => new(left._value + right._value);

    public static FloatLanes1 operator -(FloatLanes1 left, FloatLanes1 right) => new(left._value - right._value);

    public static FloatLanes1 operator *(FloatLanes1 left, FloatLanes1 right) => new(left._value * right._value);

    public static FloatLanes1 operator /(FloatLanes1 left, FloatLanes1 right) => new(left._value / right._value);

    public static FloatLanes1 MultiplyAdd(FloatLanes1 left, FloatLanes1 right, FloatLanes1 addend) =>
        new(float.MultiplyAddEstimate(left._value, right._value, addend._value));

    public static FloatLanes1 Abs(FloatLanes1 value) => new(float.Abs(value._value));

    public static FloatLanes1 Max(FloatLanes1 left, FloatLanes1 right) => new(float.MaxNative(left._value, right._value));

    public static FloatLanes1 Min(FloatLanes1 left, FloatLanes1 right) => new(float.MinNative(left._value, right._value));

    public static FloatLanes1 Round(FloatLanes1 value) => new(float.Round(value._value));

    public static FloatLanes1 PowerOfTwo(FloatLanes1 n) => new(BitConverter.Int32BitsToSingle(((int)n._value + 127) << 23));

    public void StoreQuantized(byte* destination) => (Round(this) + Create(128)).StoreBytes(destination);

    public void StoreSaturated(byte* destination) => Min(Round(this), Create(255)).StoreBytes(destination);

    public static void StoreQuantized(FloatLanes1 a, FloatLanes1 b, FloatLanes1 c, FloatLanes1 d, byte* destination)
    {
        a.StoreQuantized(destination);
        b.StoreQuantized(destination + Count);
        c.StoreQuantized(destination + 2 * Count);
        d.StoreQuantized(destination + 3 * Count);
    }

    public static void StoreSaturated(FloatLanes1 a, FloatLanes1 b, FloatLanes1 c, FloatLanes1 d, byte* destination)
    {
        a.StoreSaturated(destination);
        b.StoreSaturated(destination + Count);
        c.StoreSaturated(destination + 2 * Count);
        d.StoreSaturated(destination + 3 * Count);
    }

    public static void StoreSignedQuads(FloatLanes1 a, FloatLanes1 b, FloatLanes1 c, FloatLanes1 d, byte* destination)
    {
        destination[0] = (byte)(sbyte)Round(a)._value;
        destination[1] = (byte)(sbyte)Round(b)._value;
        destination[2] = (byte)(sbyte)Round(c)._value;
        destination[3] = (byte)(sbyte)Round(d)._value;
    }

    public static FloatLanes1 LookUp32(float* table, FloatLanes1 index) => new(table[BitConverter.SingleToInt32Bits(index._value) & 31]);

    public float SumLanes() => _value;

    public float MaxLane() => _value;
}
