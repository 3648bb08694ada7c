using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace ShiftAddVit.Kernels.Jit;

/// <summary>
/// MatShift by table look-up: the code of a term picks one of the 16 values w * x + 8192 of its activation with a byte shuffle (VPSHUFB), in
/// two planes of 7 bits, low and high. A vector holds four 128-bit lanes of 16 outputs, lane j for the j-th byte of codes of a step; its even
/// terms are the low nibbles, its odd ones the high. An even and an odd byte add up to at most 255 (see <see cref="LookUpTables"/>). The 16-bit
/// lanes that hold two such sums e + 256 o are added up, and o alone; SUM e = SUM (e + 256 o) - 256 SUM o modulo 2^16, exact as long
/// as SUM e stays below 2^16, which 257 steps do. In the end the lanes are widened, the planes joined and the four lanes added.
/// Tables are [rows][steps] of four vectors: even terms low, odd low, even high, odd high.
/// zmm0..1 even codes, zmm2..3 odd codes, zmm4..7 free, zmm8..31 sums.
/// </summary>
/// <param name="key">Length: terms, K or 2 K, at most <see cref="MaxTerms"/>.</param>
sealed class LookUpTileEmitter(TileKey key) : TileEmitter(key)
{
    public const int MaxRows = 3, MaxVectors = 2, Planes = 2;

    /// <summary>Terms that a step takes, tables of a step in bytes, and what is added to each value.</summary>
    public const int StepTerms = 8, StepTableBytes = 4 * VectorBytes, Bias = 8192;

    /// <summary>Tables of so many terms of all rows stay in the first cache (24 KiB); a sum could take eight times as many.</summary>
    public const int MaxTerms = 256;

    const int Unroll = 2, OutputsOfVector = 16, PlaneBits = 7;

    AssemblerMemoryOperand _nibbles;

    protected override (int Activations, int Panel) StepBytes => (StepTableBytes, VectorBytes);

    static AssemblerRegisterZMM Sum(int row, int vector, int plane) => Vector(8 + ((row * MaxVectors + vector) * Planes + plane) * 2);

    static AssemblerRegisterZMM OddSum(int row, int vector, int plane) => Vector(9 + ((row * MaxVectors + vector) * Planes + plane) * 2);

    protected override void Start()
    {
        _nibbles = Constant<int>(__dword_bcst, [0x0F0F0F0F]);
        Code.mov(r9, Argument(nameof(TileArguments.PanelStride)));
        for (var i = 8; i < 32; i++) Code.vpxord(Vector(i), Vector(i), Vector(i));
    }

    protected override void Accumulate()
    {
        var (steps, rest) = Math.DivRem(Key.Length, StepTerms);
        var last = Repeat(steps, Unroll, Step);
        if (rest == 0) return;
        // The panel may end here: the bytes beyond it are not read, and stand for the code 0.
        Code.mov(rcx, TileArguments.First((rest + 1) / 2 * OutputsOfVector));
        Code.kmovq(k7, rcx);
        LoadCodes(last, masked: true);
        AddTerms(last);
    }

    void Step(int step)
    {
        LoadCodes(step, masked: false);
        AddTerms(step);
    }

    void LoadCodes(int step, bool masked)
    {
        for (var vector = 0; vector < Key.Vectors; vector++)
        {
            var codes = vector == 0 ? __zmmword_ptr[rdx + step * VectorBytes] : __zmmword_ptr[rdx + r9 + step * VectorBytes];
            Code.vmovdqu8(masked ? Vector(vector).k7.z : Vector(vector), codes);
            Code.vpsrlw(Vector(2 + vector), Vector(vector), 4);
            Code.vpandd(Vector(vector), Vector(vector), _nibbles);
            Code.vpandd(Vector(2 + vector), Vector(2 + vector), _nibbles);
        }
    }

    void AddTerms(int step)
    {
        for (var row = 0; row < Key.Rows; row++)
            for (var plane = 0; plane < Planes; plane++)
            {
                var tables = step * StepTableBytes + plane * 2 * VectorBytes;
                Code.vmovdqu32(zmm4, Row(__zmmword_ptr, row, tables));
                Code.vmovdqu32(zmm5, Row(__zmmword_ptr, row, tables + VectorBytes));
                for (var vector = 0; vector < Key.Vectors; vector++)
                {
                    Code.vpshufb(zmm6, zmm4, Vector(vector));
                    Code.vpshufb(zmm7, zmm5, Vector(2 + vector));
                    Code.vpaddb(zmm6, zmm6, zmm7);
                    Code.vpaddw(Sum(row, vector, plane), Sum(row, vector, plane), zmm6);
                    Code.vpsrlw(zmm6, zmm6, 8);
                    Code.vpaddw(OddSum(row, vector, plane), OddSum(row, vector, plane), zmm6);
                }
            }
    }

    protected override void Finish()
    {
        Code.vpbroadcastd(zmm4, Constant<int>(__dword_ptr, [0xFFFF]));
        var terms = (Key.Length + StepTerms - 1) / StepTerms * StepTerms;
        Code.vpbroadcastd(zmm5, Constant<int>(__dword_ptr, [terms * Bias]));
        for (var row = 0; row < Key.Rows; row++)
        {
            for (var vector = 0; vector < Key.Vectors; vector++)
            {
                for (var plane = 0; plane < Planes; plane++) SeparateEven(Sum(row, vector, plane), OddSum(row, vector, plane));
                JoinPlanes(Sum(row, vector, 0), Sum(row, vector, 1), zmm0, zmm2);
                JoinPlanes(OddSum(row, vector, 0), OddSum(row, vector, 1), zmm1, zmm3);
                AddLanes();
                Code.vpsubd(zmm0, zmm0, zmm5);
                if (Key.Kind == TileKind.LookUpAdd) AddStored(vector);
                Store(vector, zmm0);
            }
            NextOutputRow();
        }
    }

    /// <summary>Under the mask of the store, so that nothing beyond the output is read.</summary>
    void AddStored(int vector)
    {
        var masked = vector == 0 ? zmm0.k1 : zmm0.k2;
        Code.vpaddd(Key.Masked ? masked : zmm0, zmm0, __zmmword_ptr[rax + vector * VectorBytes]);
    }

    void SeparateEven(AssemblerRegisterZMM sum, AssemblerRegisterZMM odd)
    {
        Code.vpsllw(zmm6, odd, 8);
        Code.vpsubw(sum, sum, zmm6);
    }

    /// <summary>low + 128 * high, of the even 16-bit lanes and of the odd ones.</summary>
    void JoinPlanes(AssemblerRegisterZMM low, AssemblerRegisterZMM high, AssemblerRegisterZMM even, AssemblerRegisterZMM odd)
    {
        Code.vpandd(even, low, zmm4);
        Code.vpandd(zmm6, high, zmm4);
        Code.vpslld(zmm6, zmm6, PlaneBits);
        Code.vpaddd(even, even, zmm6);
        Code.vpsrld(odd, low, 16);
        Code.vpsrld(zmm6, high, 16);
        Code.vpslld(zmm6, zmm6, PlaneBits);
        Code.vpaddd(odd, odd, zmm6);
    }

    /// <summary>
    /// zmm0..3 hold outputs 4 i, 4 i + 1, 4 i + 2, 4 i + 3 at place i of each lane: interleaved to four consecutive outputs a vector, then
    /// the lanes of those added, into zmm0.
    /// </summary>
    void AddLanes()
    {
        Code.vpunpckldq(zmm6, zmm0, zmm1);
        Code.vpunpckhdq(zmm0, zmm0, zmm1);
        Code.vpunpckldq(zmm7, zmm2, zmm3);
        Code.vpunpckhdq(zmm2, zmm2, zmm3);
        Code.vpunpcklqdq(zmm1, zmm6, zmm7);
        Code.vpunpckhqdq(zmm6, zmm6, zmm7);
        Code.vpunpcklqdq(zmm3, zmm0, zmm2);
        Code.vpunpckhqdq(zmm0, zmm0, zmm2);
        AddHalves(zmm1, zmm6, 0x44, 0xEE);
        AddHalves(zmm3, zmm0, 0x44, 0xEE);
        AddHalves(zmm1, zmm3, 0x88, 0xDD);
        Code.vmovdqa32(zmm0, zmm1);
    }

    void AddHalves(AssemblerRegisterZMM left, AssemblerRegisterZMM right, byte some, byte others)
    {
        Code.vshufi32x4(zmm2, left, right, some);
        Code.vshufi32x4(left, left, right, others);
        Code.vpaddd(left, left, zmm2);
    }
}
