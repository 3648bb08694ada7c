using System.Collections.Immutable;
using ShiftAddVit.Kernels.Jit;
using ShiftAddVit.Kernels.Portable;
using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Kernels;

/// <summary>
/// Every matrix kernel the library has, as ordered data, and which of them runs each operation in this process: the first row that
/// this machine and the knobs allow.
/// </summary>
public sealed class KernelRegistry
{
    /// <summary>
    /// Best first. Measured on Zen 4, K = 192, in percent of the rate of 512-bit byte dot products: those themselves 95 in any tile, with
    /// gelu 92 pipelined and 84 otherwise; AVX2 pairs 37 where signs need no care and 23 elsewhere; portable vectors 33 (512 bits) and 27
    /// (256), real shifts 19 (two terms: 10), look-ups 18 (9), portable 128-bit vectors 17. P5 takes about twice as long as S8. The
    /// reference, which runs everywhere and defines the result, is last.
    /// </summary>
    static ImmutableArray<Kernel> Create() =>
    [
        .. DotProducts(new(VectorIsa.Avx512Vnni, ProductForm.DotProduct, Rows: 6, Vectors: 4, PipelinedInputs: 1024)),
        .. DotProducts(new(VectorIsa.Avx512Vnni, ProductForm.DotProduct, Rows: 6, Vectors: 4), KernelSchedule.Straight),
        .. DotProducts(new(VectorIsa.Avx512Vnni, ProductForm.DotProduct, Rows: 12, Vectors: 2)),
        .. DotProducts(new(VectorIsa.Avx512Vnni, ProductForm.DotProduct, Rows: 5, Vectors: 5)),
        .. DotProducts(new(VectorIsa.AvxVnni, ProductForm.DotProduct, Rows: 6, Vectors: 2)),
        .. DotProducts(new(VectorIsa.Avx2, ProductForm.UnsignedPairs, Rows: 4, Vectors: 2)),
        new FmaKernel(Operation.MatMul, NumberType.F32),
        .. Portable<IntegerLanes512, FloatLanes512>(KernelIsa.Vector512),
        .. Portable<IntegerLanes256, FloatLanes256>(KernelIsa.Vector256),
        .. DotProducts(new(VectorIsa.Avx2, ProductForm.SignedPairs, Rows: 4, Vectors: 2)),
        .. Integers<IntegerLanesDp>(KernelIsa.AdvSimdDp),
        new ShiftKernel(NumberType.P4),
        new LookUpKernel(NumberType.P4),
        .. Portable<IntegerLanes128, FloatLanes128>(KernelIsa.Vector128),
        new ShiftKernel(NumberType.P4P4),
        new LookUpKernel(NumberType.P4P4),
        new FmaKernel(Operation.FakeShift, NumberType.P4),
        new PopcountKernel(),
        new DistanceTileKernel(),
        new MatShift_U8P4I32_1x1_Reference(),
        new MatShift_U8P4P4I32_1x1_Reference(),
        new MatShift_U8P5I64_1x1_Reference(),
        new MatMul_U8S8I32_1x1_Reference(),
        new MatMul_F32F32F32_1x1_Reference(),
        new FakeShift_F32P4F32_1x1_Reference(),
        new MatMul_B1B1I32_1x1_Reference(),
        new MatDistance_U8S8I32_1x1_Reference(),
    ];

    /// <summary>The kernels of a tile: one for each type of weights that its products are exact for and its panels fit.</summary>
    static IEnumerable<Kernel> DotProducts(DotProductTile tile, KernelSchedule schedule = KernelSchedule.Default)
    {
        if (tile.Products != ProductForm.SignedPairs) yield return new DotProductKernel(Operation.MatShift, NumberType.P4, tile, schedule);
        if (tile.Products == ProductForm.UnsignedPairs) yield break;
        yield return new DotProductKernel(Operation.MatShift, NumberType.P4P4, tile, schedule);
        var bytes = new DotProductKernel(Operation.MatMul, NumberType.S8, tile, schedule);
        yield return bytes;
        if (tile.Vectors % 2 == 0) yield return new SplitKernel(bytes);
    }

    static IEnumerable<Kernel> Portable<TInteger, TFloat>(KernelIsa isa)
        where TInteger : struct, IIntegerLanes<TInteger> where TFloat : struct, IFloatLanes<TFloat> =>
        [.. Integers<TInteger>(isa), new PortableFloatKernel<TFloat>(isa)];

    static IEnumerable<Kernel> Integers<T>(KernelIsa isa) where T : struct, IIntegerLanes<T> =>
    [
        new PortableIntegerKernel<T>(Operation.MatShift, NumberType.P4, isa),
        new PortableIntegerKernel<T>(Operation.MatShift, NumberType.P4P4, isa),
        new PortableIntegerKernel<T>(Operation.MatMul, NumberType.S8, isa),
        new SplitKernel(new PortableIntegerKernel<T>(Operation.MatMul, NumberType.S8, isa)),
    ];

    static readonly Lazy<KernelRegistry> LazyDefault = new(() => new(ParseIsa(Knobs.MaxIsa), [.. Knobs.ForcedKernels]));

    readonly KernelIsa _cap;

    /// <summary>The kernel of each job, that is of each operation and type of weights.</summary>
    readonly Dictionary<(Operation, NumberType), Kernel> _chosen;

    /// <summary>Chooses kernels under a cap.</summary>
    /// <param name="cap">The widest instruction set allowed; what the process's knobs say is not looked at.</param>
    /// <param name="forced">Names of kernels that must run their operation and weight format.</param>
    /// <exception cref="ShiftAddVitException">A forced name is unknown, refused, or the second for its operation.</exception>
    public KernelRegistry(KernelIsa cap, params ReadOnlySpan<string> forced)
    {
        _cap = cap;
        IsRestricted = cap < Enum.GetValues<KernelIsa>()[^1] || forced.Length > 0;
        Kernels = Create();
        _chosen = Kernels.Where(kernel => Refusal(kernel) is null).GroupBy(Job).ToDictionary(rows => rows.Key, rows => rows.First());
        var forcedJobs = Force(forced);
        All = [.. Kernels.Select(kernel => Describe(kernel, _chosen[Job(kernel)], forcedJobs.Contains(Job(kernel))))];
        var widest = Enum.GetValues<KernelIsa>().Last(isa => isa <= cap && isa.IsPortable && isa.IsAccelerated);
        var generated = GeneratedRows.Under(cap);
        (Rows, Values) = (new(widest), new(widest));
        (Blocks, Attention) = (new(Rows, generated), new(widest, generated));
    }

    /// <summary>The choice of this process, made once from <see cref="Knobs"/>.</summary>
    /// <exception cref="ShiftAddVitException">A knob is wrong.</exception>
    public static KernelRegistry Default => LazyDefault.Value;

    /// <summary>Whether fewer kernels may run than this machine could.</summary>
    public bool IsRestricted { get; }

    /// <summary>Every row, best first.</summary>
    public ImmutableArray<KernelInfo> All { get; }

    /// <summary>Why this process runs more slowly than the machine could, for its user; null when it does not.</summary>
    public string? Warning =>
        ExecutableMemory.Refusal is { } refusal
        && Kernels.Any(kernel => kernel.Name.Isa <= _cap && kernel.Name.Isa is { IsGenerated: true, IsAccelerated: true })
            ? $"{refusal}: portable kernels run in place of generated code, more slowly"
            : null;

    /// <summary>The kernels behind <see cref="All"/>, in the same order.</summary>
    internal ImmutableArray<Kernel> Kernels { get; }

    /// <summary>The row operations, in the widest vectors allowed.</summary>
    internal RowOps Rows { get; }

    /// <summary>The row operations on blocks of rows, in generated code where there is any.</summary>
    internal RowBlockOps Blocks { get; }

    /// <summary>The operations between the products of 8-bit attention, in the same.</summary>
    internal AttentionOps Attention { get; }

    /// <summary>How the values of 8-bit attention become an operand, in the same vectors.</summary>
    internal ValuePacking Values { get; }

    /// <summary>The kernel that runs an operation on weights of a format.</summary>
    /// <exception cref="ArgumentException">The operation does not take that format.</exception>
    public KernelInfo Choose(Operation op, WeightFormat weights) => All[Kernels.IndexOf(ChooseKernel(op, weights))];

    internal Kernel ChooseKernel(Operation op, WeightFormat weights) =>
        _chosen.TryGetValue((op, TypeOf(weights)), out var kernel)
            ? kernel
            : throw new ArgumentException($"{op} does not take {weights} weights", nameof(weights));

    /// <summary>The kernel for quantised weights: MatShift for P4, P4P4 and P5, MatMul for S8.</summary>
    internal IntegerKernel Integer(WeightFormat weights) =>
        (IntegerKernel)ChooseKernel(weights == WeightFormat.S8 ? Operation.MatMul : Operation.MatShift, weights);

    /// <summary>The kernel of a shape unless it is tuned.</summary>
    internal Kernel Linear(LinearShape shape) => ChooseKernel(shape.Operation, shape.Weights);

    /// <summary>The kernels that may run a shape here, best first; where one is forced, that one.</summary>
    internal IEnumerable<Kernel> Usable(LinearShape shape)
    {
        for (var i = 0; i < All.Length; i++)
            if (All[i].Verdict != KernelVerdict.Refused && Job(Kernels[i]) == (shape.Operation, TypeOf(shape.Weights))) yield return Kernels[i];
    }

    /// <summary>The kernel for float weights.</summary>
    internal FloatKernel Float => (FloatKernel)ChooseKernel(Operation.MatMul, WeightFormat.F32);

    /// <summary>The scalar kernel that defines what a kernel computes.</summary>
    internal Kernel ReferenceOf(Kernel kernel) => Kernels.Single(it => it.Name.Isa == KernelIsa.Reference && Job(it) == Job(kernel));

    internal static KernelIsa ParseIsa(string knob) => (KernelIsa)Knobs.IsaNames.IndexOf(knob);

    static NumberType TypeOf(WeightFormat weights) => Enum.Parse<NumberType>(weights.ToString());

    static (Operation, NumberType) Job(Kernel kernel) => (kernel.Name.Op, kernel.Name.B);

    string? Refusal(Kernel kernel) =>
        kernel.Name.Isa > _cap ? $"capped at {_cap} (SHIFTADD_MAX_ISA)" : kernel.Missing;

    /// <summary>Puts the named kernels in place and returns the jobs they do.</summary>
    HashSet<(Operation, NumberType)> Force(ReadOnlySpan<string> names)
    {
        var jobs = new HashSet<(Operation, NumberType)>();
        foreach (var name in names)
        {
            var kernel = Kernels.FirstOrDefault(kernel => kernel.Name.ToString() == name)
                ?? throw Refuse($"no kernel {name}; known are {string.Join(", ", Kernels.Select(kernel => kernel.Name))}");
            if (Refusal(kernel) is { } refusal) throw Refuse($"{name} can not be forced: {refusal}");
            if (!jobs.Add(Job(kernel))) throw Refuse($"{name} is the second for {kernel.Name.Op} with {kernel.Name.B}; one is allowed");
            _chosen[Job(kernel)] = kernel;
        }
        return jobs;
    }

    static ShiftAddVitException Refuse(string why) => new($"SHIFTADD_KERNEL: {why}");

    KernelInfo Describe(Kernel kernel, Kernel chosen, bool forced)
    {
        var (verdict, reason) = (Refusal(kernel), kernel == chosen, forced) switch
        {
            ({ } refusal, _, _) => (KernelVerdict.Refused, refusal),
            (_, true, true) => (KernelVerdict.Chosen, "forced by SHIFTADD_KERNEL"),
            (_, true, false) => (KernelVerdict.Chosen, "first of its operation that runs here"),
            (_, false, true) => (KernelVerdict.Refused, $"{chosen.Name} is forced by SHIFTADD_KERNEL"),
            _ => (KernelVerdict.Usable, $"{chosen.Name} is ahead of it"),
        };
        return new(kernel.Name, kernel.Schedule, kernel.Packing, verdict, reason);
    }
}
