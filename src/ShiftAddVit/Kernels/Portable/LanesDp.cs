using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>4 lanes of int32, each with four products of signed bytes a step: Arm's SDOT.</summary>
readonly unsafe struct IntegerLanesDp(Vector128<int> value) : IIntegerLanes<IntegerLanesDp>
{
    readonly Vector128<int> _value = value;

    public static int Count => Vector128<int>.Count;

    public static int Group => 4;

    public static string Schedule => "signed byte dot products (SDOT)";

    public static IntegerLanesDp Load(int* source) => new(Vector128.Load(source));

    public static IntegerLanesDp operator +(IntegerLanesDp left, IntegerLanesDp right) => new(left._value + right._value);

    public static IntegerLanesDp LoadWeights(sbyte* weights) => new(Vector128.Load(weights).AsInt32());

    /// <summary>With its highest bit inverted, the unsigned byte q is the signed byte q - 128.</summary>
    public static IntegerLanesDp LoadCentred(byte* activations) => new((Vector128.Load(activations) ^ Vector128.Create((byte)0x80)).AsInt32());

    public static void Centre(byte* activations, byte* destination) => LoadCentred(activations).Store((int*)destination);

    public static void CentreOne(byte activation, byte* destination) => *destination = (byte)(activation ^ 0x80);

    public static IntegerLanesDp Broadcast(byte* activations) => new(Vector128.Create(*(int*)activations));

    public static IntegerLanesDp AddProducts(IntegerLanesDp accumulator, IntegerLanesDp weights, IntegerLanesDp activations) => new(Dp.IsSupported
        ? Dp.DotProduct(accumulator._value, weights._value.AsSByte(), activations._value.AsSByte())
        : accumulator._value + WidenedProducts(weights._value.AsSByte(), activations._value.AsSByte()));

    public void Store(int* destination) => _value.Store(destination);

    public static Vector128<int> SumEach(IntegerLanesDp a, IntegerLanesDp b, IntegerLanesDp c, IntegerLanesDp d) =>
        Vector128.Create(Vector128.Sum(a._value), Vector128.Sum(b._value), Vector128.Sum(c._value), Vector128.Sum(d._value));

    /// <summary>Without the instruction: products of signed bytes fit int16, sums of four of them are formed in int32.</summary>
    static Vector128<int> WidenedProducts(Vector128<sbyte> x, Vector128<sbyte> y)
    {
        var lower = Vector128.WidenLower(x) * Vector128.WidenLower(y);
        var upper = Vector128.WidenUpper(x) * Vector128.WidenUpper(y);
        return Vector128.Create(SumFours(lower), SumFours(upper));
    }

    /// <summary>The sums of elements 0..3 and 4..7.</summary>
    static Vector64<int> SumFours(Vector128<short> products) =>
        Vector64.Create(Vector128.Sum(Vector128.WidenLower(products)), Vector128.Sum(Vector128.WidenUpper(products)));
}
