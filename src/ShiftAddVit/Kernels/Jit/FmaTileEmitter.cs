using Iced.Intel;
using ShiftAddVit.Tensors;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// Float32 products by fused multiply-adds, inputs ascending. Weights are floats, or P4 codes that a permutation of 16 floats turns into
/// 2^p * s, two inputs a byte. Six rows, as more than eight that are a multiple of 4096 bytes apart would drive each other from the first cache.
/// zmm8..31 accumulators, zmm4..7 weights, zmm3 the floats of the codes, zmm0..2 activations in turn.
/// </summary>
/// <param name="key">Length: K.</param>
sealed class FmaTileEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 6, MaxVectors = 4;
    const int Unroll = 4, Lanes = VectorBytes / sizeof(float);

    readonly bool _decode = key.Kind == TileKind.FakeShift;

    /// <summary>Inputs that one step takes: those that share a byte.</summary>
    int StepInputs => _decode ? 2 : 1;

    protected override (int Activations, int Panel) StepBytes =>
        (StepInputs * sizeof(float), _decode ? MaxVectors * Lanes : MaxVectors * VectorBytes);

    static AssemblerRegisterZMM Accumulator(int row, int vector) => Vector(8 + row * MaxVectors + vector);

    static AssemblerRegisterZMM Weights(int vector) => Vector(4 + vector);

    protected override void Start()
    {
        if (_decode) Code.vmovups(zmm3, Constant<float>(__zmmword_ptr, [.. Enumerable.Range(0, 16).Select(code => (float)P4.Decode(code))]));
        for (var i = 0; i < Key.Rows; i++)
            for (var j = 0; j < Key.Vectors; j++) Code.vpxord(Accumulator(i, j), Accumulator(i, j), Accumulator(i, j));
    }

    protected override void Accumulate()
    {
        var (steps, rest) = Math.DivRem(Key.Length, StepInputs);
        var last = Repeat(steps, Unroll, step => Step(step, StepInputs));
        if (rest > 0) Step(last, rest);
    }

    protected override void Finish()
    {
        for (var i = 0; i < Key.Rows; i++)
        {
            for (var j = 0; j < Key.Vectors; j++) Store(j, Accumulator(i, j));
            NextOutputRow();
        }
    }

    void Step(int step, int inputs)
    {
        for (var input = 0; input < inputs; input++)
        {
            for (var j = 0; j < Key.Vectors; j++)
                if (_decode) Decode(j, step * StepBytes.Panel + j * Lanes, input);
                else Code.vmovups(Weights(j), __zmmword_ptr[rdx + step * StepBytes.Panel + j * VectorBytes]);
            for (var i = 0; i < Key.Rows; i++) AddProducts(i, step * StepBytes.Activations + input * sizeof(float));
        }
    }

    /// <summary>Even inputs are in the low nibbles, odd ones in the high; the permutation reads the lowest four bits.</summary>
    void Decode(int vector, int offset, int input)
    {
        Code.vpmovzxbd(Weights(vector), __xmmword_ptr[rdx + offset]);
        if (input > 0) Code.vpsrld(Weights(vector), Weights(vector), 4);
        Code.vpermps(Weights(vector), Weights(vector), zmm3);
    }

    void AddProducts(int row, int offset)
    {
        var activation = Vector(row % 3);
        Code.vbroadcastss(activation, Row(__dword_ptr, row, offset));
        for (var j = 0; j < Key.Vectors; j++) Code.vfmadd231ps(Accumulator(row, j), activation, Weights(j));
    }
}
