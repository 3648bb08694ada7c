using System.Runtime.Intrinsics;

namespace ShiftAddVit.Kernels.Portable;

/// <summary>
/// The float32 lanes of one vector width (1 for the scalar tail). Kernels and row operators are written once against it; each primitive
/// rounds alike in every width, so what is done lane by lane has the same bits in all of them.
/// </summary>
unsafe interface IFloatLanes<T> where T : struct, IFloatLanes<T>
{
    static abstract int Count { get; }

    static abstract T Create(float value);

    static abstract T Load(float* source);

    /// <summary>Loads int32 and rounds each to the nearest float.</summary>
    static abstract T LoadInt32(int* source);

    /// <summary>Loads int32, adds others to them, and rounds each sum to the nearest float.</summary>
    static abstract T LoadInt32(int* source, int* addend);

    /// <summary>Loads int64 of magnitude below 2^53, which doubles hold, and rounds each to the nearest float.</summary>
    static abstract T LoadInt64(long* source);

    void Store(float* destination);

    /// <summary>Bit i is set where lane i is above 0.</summary>
    uint PositiveBits();

    /// <summary>Stores whole numbers 0..255 as bytes.</summary>
    void StoreBytes(byte* destination);

    static abstract T operator +(T left, T right);

    static abstract T operator -(T left, T right);

    static abstract T operator *(T left, T right);

    static abstract T operator /(T left, T right);

    /// <summary>left * right + addend: rounded once where the machine can, the same in all widths of one machine.</summary>
    static abstract T MultiplyAdd(T left, T right, T addend);

    static abstract T Abs(T value);

    /// <summary>The larger, for operands that are not NaN.</summary>
    static abstract T Max(T left, T right);

    /// <summary>The smaller, for operands that are not NaN.</summary>
    static abstract T Min(T left, T right);

    /// <summary>To the nearest whole number, ties to even.</summary>
    static abstract T Round(T value);

    /// <summary>2^n for whole n = -126..127, by setting the exponent bits.</summary>
    static abstract T PowerOfTwo(T n);

    /// <summary>Stores roundHalfEven(value) + 128 as bytes, for values whose rounding is -127..127.</summary>
    void StoreQuantized(byte* destination);

    /// <summary>Stores min(255, roundHalfEven(value)) as bytes, for values of at least 0.</summary>
    void StoreSaturated(byte* destination);

    /// <summary><see cref="StoreQuantized(byte*)"/> of four vectors, one after the other.</summary>
    static abstract void StoreQuantized(T a, T b, T c, T d, byte* destination);

    /// <summary><see cref="StoreSaturated(byte*)"/> of four vectors, one after the other.</summary>
    static abstract void StoreSaturated(T a, T b, T c, T d, byte* destination);

    /// <summary>
    /// Stores roundHalfEven of four vectors, which is -127..127, as signed bytes, lane by lane: those of a, b, c and d one beside the other.
    /// </summary>
    static abstract void StoreSignedQuads(T a, T b, T c, T d, byte* destination);

    /// <summary>table[the lowest five bits of each lane].</summary>
    static abstract T LookUp32(float* table, T index);

    float SumLanes();

    float MaxLane();
}

/// <summary>
/// The int32 accumulators of one vector width; each lane is one output of an integer kernel. A step takes a group of consecutive inputs:
/// as many activations as fill 32 bits, and their weights for each lane.
/// </summary>
unsafe interface IIntegerLanes<T> where T : struct, IIntegerLanes<T>
{
    /// <summary>Outputs in a vector.</summary>
    static abstract int Count { get; }

    /// <summary>Inputs of a step: 4 divided by the bytes of an activation.</summary>
    static abstract int Group { get; }

    /// <summary>How products are made, in a few words.</summary>
    static abstract string Schedule { get; }

    static abstract T Load(int* source);

    static abstract T operator +(T left, T right);

    /// <summary>Reads Group signed bytes a lane.</summary>
    static abstract T LoadWeights(sbyte* weights);

    /// <summary>Writes q - 128 for Group x Count activations.</summary>
    static abstract void Centre(byte* activations, byte* destination);

    /// <summary>The same for one activation.</summary>
    static abstract void CentreOne(byte activation, byte* destination);

    /// <summary>The group of centred activations at <paramref name="activations"/> in every lane.</summary>
    static abstract T Broadcast(byte* activations);

    /// <summary>accumulator + the sum of the products of both groups, in each lane; exact.</summary>
    static abstract T AddProducts(T accumulator, T weights, T activations);

    void Store(int* destination);

    /// <summary>q - 128 of Group x Count activations, beside each other as weights are.</summary>
    static abstract T LoadCentred(byte* activations);

    /// <summary>The sums of the lanes of each of four vectors.</summary>
    static abstract Vector128<int> SumEach(T a, T b, T c, T d);
}
