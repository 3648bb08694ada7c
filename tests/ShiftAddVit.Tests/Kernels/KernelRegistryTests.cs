using ShiftAddVit.Kernels;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests.Kernels;

public class KernelRegistryTests
{
    const KernelIsa Uncapped = KernelIsa.Avx512Vnni;
    const string ForcedShift = "MatShift_U8P4I32_1x1_Reference";

    public static TheoryData<KernelIsa> Caps => [.. Enum.GetValues<KernelIsa>()];

    static readonly (Operation Op, WeightFormat Weights)[] Jobs =
    [
        (Operation.MatShift, WeightFormat.P4), (Operation.MatShift, WeightFormat.P4P4), (Operation.MatShift, WeightFormat.P5),
        (Operation.MatMul, WeightFormat.S8), (Operation.MatMul, WeightFormat.F32),
    ];

    [Fact]
    public void Names_are_unique_and_follow_the_grammar()
    {
        var names = new KernelRegistry(Uncapped).All.Select(row => row.Name.ToString()).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.All(names, name => Assert.True(KernelName.TryParse(name, out _)));
    }

    [Fact]
    public void A_reference_is_the_class_of_that_name() =>
        Assert.All(
            new KernelRegistry(Uncapped).Kernels.Where(kernel => kernel.Name.Isa == KernelIsa.Reference),
            kernel => Assert.Equal(kernel.GetType().Name, kernel.Name.ToString()));

    [Fact]
    public void Each_operation_ends_with_its_reference() =>
        Assert.All(new KernelRegistry(Uncapped).All.GroupBy(row => (row.Name.Op, row.Name.B)), rows =>
        {
            Assert.Equal(KernelIsa.Reference, rows.Last().Name.Isa);
            Assert.Single(rows, row => row.Name.Isa == KernelIsa.Reference);
        });

    [Theory, MemberData(nameof(Caps))]
    public void The_best_instructions_that_are_here_under_the_cap_are_chosen(KernelIsa cap)
    {
        var registry = new KernelRegistry(cap);
        foreach (var (op, weights) in Jobs) Assert.Equal(Best(cap, op, weights), registry.Choose(op, weights).Name.Isa);
        Assert.Equal(Best(cap, Operation.MatAdd, WeightFormat.S8), registry.AddTokens.Name.Isa);
        Assert.Equal(BestLookUp(cap), registry.AddCodes.Name.Isa);
        Assert.Equal(WidestHere(cap), registry.Rows.Widest);
    }

    /// <summary>The order of preference, written down a second time.</summary>
    static KernelIsa Best(KernelIsa cap, Operation op, WeightFormat weights)
    {
        KernelIsa[] preferred = (op, weights) switch
        {
            (Operation.MatShift, WeightFormat.P4) =>
                [
                    KernelIsa.Avx512Vnni, KernelIsa.AvxVnni, KernelIsa.Avx2, KernelIsa.Vector512, KernelIsa.Vector256, KernelIsa.AdvSimdDp,
                    KernelIsa.Vector128,
                ],
            (_, WeightFormat.F32) => [KernelIsa.Avx512, KernelIsa.Vector512, KernelIsa.Vector256, KernelIsa.Vector128],
            _ =>
            [
                KernelIsa.Avx512Vnni, KernelIsa.AvxVnni, KernelIsa.Vector512, KernelIsa.Vector256, KernelIsa.Avx2, KernelIsa.AdvSimdDp,
                KernelIsa.Vector128,
            ],
        };
        return preferred.FirstOrDefault(isa => isa <= cap && isa.IsAccelerated, KernelIsa.Reference);
    }

    static KernelIsa BestLookUp(KernelIsa cap) =>
        new[] { KernelIsa.Avx512, KernelIsa.Vector512, KernelIsa.Vector256, KernelIsa.Vector128 }
            .FirstOrDefault(isa => isa <= cap && isa.IsAccelerated, KernelIsa.Reference);

    static KernelIsa WidestHere(KernelIsa cap) =>
        new[] { KernelIsa.Vector512, KernelIsa.Vector256, KernelIsa.Vector128 }.FirstOrDefault(isa => isa <= cap && isa.IsAccelerated, KernelIsa.Reference);

    [Theory, MemberData(nameof(Caps))]
    public void One_row_of_each_operation_is_chosen_and_every_row_says_why(KernelIsa cap)
    {
        var all = new KernelRegistry(cap).All;
        Assert.All(all.GroupBy(row => (row.Name.Op, row.Name.B)), rows => Assert.Single(rows, row => row.Verdict == KernelVerdict.Chosen));
        Assert.All(all, row => Assert.NotEmpty(row.Reason));
        Assert.All(all, row => Assert.NotEmpty(row.Schedule));
    }

    [Fact]
    public void A_capped_kernel_says_so()
    {
        var row = new KernelRegistry(KernelIsa.Vector128).All.First(row => row.Name.Isa == KernelIsa.Vector512);
        Assert.Equal((KernelVerdict.Refused, "capped at Vector128 (SHIFTADD_MAX_ISA)"), (row.Verdict, row.Reason));
    }

    [Fact]
    public void A_forced_kernel_runs_its_operation_and_leaves_the_others()
    {
        var registry = new KernelRegistry(Uncapped, ForcedShift);
        Assert.Equal("forced by SHIFTADD_KERNEL", registry.Choose(Operation.MatShift, WeightFormat.P4).Reason);
        Assert.Equal(ForcedShift, registry.Integer(WeightFormat.P4).Name.ToString());
        Assert.Equal(Best(Uncapped, Operation.MatShift, WeightFormat.P4P4), registry.Choose(Operation.MatShift, WeightFormat.P4P4).Name.Isa);
        Assert.All(registry.All.Where(row => row.Name is { Op: Operation.MatShift, B: NumberType.P4, Isa: not KernelIsa.Reference }),
            row => Assert.Equal(KernelVerdict.Refused, row.Verdict));
    }

    [Fact]
    public void An_unknown_forced_name_is_refused_with_the_known_ones()
    {
        var error = Assert.Throws<ShiftAddVitException>(() => new KernelRegistry(Uncapped, "MatShift"));
        Assert.StartsWith("SHIFTADD_KERNEL: no kernel MatShift; known are ", error.Message, StringComparison.Ordinal);
        Assert.Contains(ForcedShift, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void A_forced_kernel_beyond_the_cap_is_refused()
    {
        var name = new KernelRegistry(Uncapped).All[0].Name.ToString();
        var error = Assert.Throws<ShiftAddVitException>(() => new KernelRegistry(KernelIsa.Vector128, name));
        Assert.Contains("can not be forced: capped at Vector128", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_forced_kernel_that_the_machine_lacks_is_refused()
    {
        var missing = new KernelRegistry(Uncapped).Kernels.FirstOrDefault(kernel => kernel.Missing is not null);
        Assert.SkipWhen(missing is null, "this machine accelerates every registered kernel");
        var error = Assert.Throws<ShiftAddVitException>(() => new KernelRegistry(Uncapped, missing!.Name.ToString()));
        Assert.Contains("not hardware accelerated here", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_forced_kernels_for_one_operation_are_refused() =>
        Assert.Throws<ShiftAddVitException>(() => new KernelRegistry(Uncapped, ForcedShift, ForcedShift));

    [Fact]
    public void The_process_has_one_registry() => Assert.Same(KernelRegistry.Default, KernelRegistry.Default);

    [Fact]
    public void An_operation_refuses_weights_it_does_not_take() =>
        Assert.Throws<ArgumentException>(() => new KernelRegistry(Uncapped).Choose(Operation.MatShift, WeightFormat.F32));

    [Fact]
    public void The_names_of_the_cap_are_the_instruction_sets() =>
        Assert.Equal(Enum.GetNames<KernelIsa>().Select(name => name.ToLowerInvariant()), Knobs.IsaNames);
}
