using System.Collections.Immutable;
using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class TunedChoicesTests
{
    const int Batch = 3;

    static readonly KernelRegistry Registry = new(KernelIsa.Avx512Vnni);
    static readonly VitArchitecture Architecture = TinyModels.Architecture with { ImageSize = 48 };

    public static TheoryData<WeightFormat> Formats => [.. Enum.GetValues<WeightFormat>()];

    static TunedChoices Kernels(VitGraph graph, Func<LinearShape, KernelName> kernel) =>
        TunedChoices.None with { Kernels = ModelShapes.Of(graph).ToImmutableDictionary(shape => shape, kernel) };

    static TunedChoices RowBlock(VitGraph graph, int threads, int rows, int images = 1) =>
        TunedChoices.None with { RowBlocks = ImmutableDictionary<RowChain, int>.Empty.Add(RowChain.Of(graph, threads, images), rows) };

    static TunedChoices Only(LinearShape shape, KernelName name) =>
        TunedChoices.None with { Kernels = ImmutableDictionary<LinearShape, KernelName>.Empty.Add(shape, name) };

    static float[] Logits(VitGraph graph, TunedChoices tuned, int threads, out string[] kernels)
    {
        using var model = CompiledModel.Compile(graph, new() { Registry = Registry, Tuned = tuned });
        using var session = model.CreateSession(new() { MaxBatch = Batch, Threads = threads });
        kernels = [.. model.KernelNames];
        return session.Run(TinyModels.Images(Architecture, Batch), Batch);
    }

    /// <summary>Each usable kernel in turn, the slowest too, and each row block: the logits keep their bits.</summary>
    [Theory, MemberData(nameof(Formats))]
    public void No_choice_changes_a_result(WeightFormat format)
    {
        var graph = LinearPass.Apply(TinyModels.Create(Architecture), format).Graph;
        var expected = Logits(graph, TunedChoices.None, 1, out var untuned);
        // Of floats a model whose blocks run in bytes has its head only.
        var used = ModelShapes.Of(graph).Where(shape => format == WeightFormat.F32 || shape.Weights != WeightFormat.F32 || shape.M == 1).ToArray();
        var most = ModelShapes.Of(graph).Max(shape => Registry.Usable(shape).Count());
        for (var i = 0; i < most; i++)
        {
            KernelName Kernel(LinearShape shape) => Registry.Usable(shape).ElementAt(Math.Min(i, Registry.Usable(shape).Count() - 1)).Name;
            Assert.Equal(expected, Logits(graph, Kernels(graph, Kernel), 1 + i % 3, out var tuned));
            Assert.Equal(used.Select(shape => $"{Kernel(shape)}").Order().Distinct(), tuned.Order());
            if (i == most - 1) Assert.NotEqual(untuned, tuned);
        }
        foreach (var rows in RowChain.Of(graph, threads: 2, Batch).Candidates)
            Assert.Equal(expected, Logits(graph, RowBlock(graph, threads: 2, rows, Batch), 2, out _));
        var shape = AttentionShape.Of(Architecture, threads: 2);
        foreach (var split in shape.Candidates)
            Assert.Equal(expected, Logits(graph, TunedChoices.None with { Splits = TunedChoices.None.Splits.Add(shape, split) }, 2, out _));
    }

    [Theory]
    [InlineData(197, 1, 1, 99)]
    [InlineData(197, 2, 1, 99)]
    [InlineData(197, 3, 1, 66)]
    [InlineData(197, 4, 1, 50)]
    [InlineData(197, 4, 2, 99)]
    [InlineData(197, 8, 1, 25)]
    [InlineData(197, 8, 2, 50)]
    [InlineData(197, 8, 8, 99)]
    [InlineData(197, 1024, 1, 12)]
    [InlineData(577, 1, 1, 97)]
    [InlineData(577, 2, 1, 97)]
    [InlineData(10, 1, 1, 12)]
    [InlineData(10, 1, 8, 80)]
    [InlineData(65536, 7, 1, 99)]
    public void Threads_get_equal_blocks_unless_tuned(int tokens, int threads, int images, int rows)
    {
        var chain = new RowChain(WeightFormat.P4, tokens, 192, 768, 64, threads, images);
        Assert.Equal(rows, TunedChoices.None.RowBlock(chain));
        Assert.Contains(rows, chain.Candidates);
        Assert.Equal(chain.Candidates.Distinct(), chain.Candidates);
    }

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(3, 1, 197, 1)]
    [InlineData(3, 2, 197, 2)]
    [InlineData(24, 2, 197, 1)]
    [InlineData(3, 64, 197, 9)]
    [InlineData(3, 64, 1, 1)]
    public void Heads_are_cut_where_threads_would_get_too_few(int heads, int threads, int queries, int pieces)
    {
        Assert.Equal(pieces, AttentionSplit.Static.Pieces(heads, threads, queries));
        Assert.Contains(AttentionSplit.Static, new AttentionShape(queries, heads, 64, threads).Candidates);
        Assert.All(new AttentionShape(queries, heads, 64, threads).Candidates, split => Assert.True(split.IsAllowed));
    }

    [Fact]
    public void A_row_block_is_what_a_session_runs_with()
    {
        var graph = LinearPass.Apply(TinyModels.Create(Architecture), WeightFormat.P4).Graph;
        using var model = CompiledModel.Compile(graph, new() { Registry = Registry, Tuned = RowBlock(graph, threads: 2, 99) });
        Assert.Equal((37, 99, 74), (model.RowBlock(threads: 1, 1), model.RowBlock(threads: 2, 1), model.RowBlock(threads: 2, 4)));
        Assert.Equal(AttentionSplit.Static, model.AttentionSplit(threads: 2));
    }

    [Fact]
    public void A_kernel_that_may_not_run_here_is_passed_over()
    {
        var shape = new LinearShape(WeightFormat.P4, 24, 20, 60);
        KernelName[] names =
        [
            new(Operation.MatShift, NumberType.U8, NumberType.P4, NumberType.I32, 7, 7, KernelIsa.Vector128), // unknown
            Registry.Usable(shape).First(kernel => kernel.Name.Isa > KernelIsa.Vector128).Name, // capped
            Registry.Usable(shape with { Weights = WeightFormat.S8 }).Last().Name, // of another operation
        ];
        var capped = new KernelRegistry(KernelIsa.Vector128);
        foreach (var name in names) Assert.Same(capped.Linear(shape), Only(shape, name).Kernel(capped, shape));
        Assert.NotSame(capped.Linear(shape), Only(shape, Registry.Usable(shape).Last().Name).Kernel(capped, shape));
    }

    [Fact]
    public void A_kernel_is_tuned_for_blocks_of_any_number_of_rows_and_apart_for_one()
    {
        var shape = new LinearShape(WeightFormat.P4, RowChain.KernelRows, 20, 60);
        var last = Registry.Usable(shape).Last();
        foreach (var m in (int[])[2, 24, 197]) Assert.Same(last, Only(shape, last.Name).Kernel(Registry, shape with { M = m }));
        Assert.Same(Registry.Linear(shape), Only(shape, last.Name).Kernel(Registry, shape with { M = 1 }));
    }

    [Fact]
    public void The_layers_of_an_extent_are_the_tuned_ones_or_all_that_there_may_be()
    {
        var (tuned, m) = (new LinearShape(WeightFormat.P4, 24, 20, 192, LinearOutput.Gelu), new MatrixShape(7, 20, 192));
        var choices = Only(tuned, Registry.Linear(tuned).Name);
        Assert.Equal([tuned with { M = 7 }], choices.Layers(WeightFormat.P4, m));
        Assert.Equal(
            [LinearOutput.Stored, LinearOutput.Residual, LinearOutput.Gelu, LinearOutput.Heads],
            choices.Layers(WeightFormat.S8, m).Select(layer => layer.Output));
        Assert.Equal([LinearOutput.Stored], choices.Layers(WeightFormat.F32, m).Select(layer => layer.Output));
        Assert.Equal([LinearOutput.Stored], choices.Layers(WeightFormat.P4, m with { M = 1 }).Select(layer => layer.Output));
        Assert.DoesNotContain(LinearOutput.Heads, choices.Layers(WeightFormat.S8, m with { N = 64 }).Select(layer => layer.Output));
    }

    [Fact]
    public void A_forced_kernel_goes_before_a_tuned_one()
    {
        var shape = new LinearShape(WeightFormat.P4, 24, 20, 60);
        var forced = new KernelRegistry(KernelIsa.Avx512Vnni, $"{Registry.Usable(shape).Last().Name}");
        Assert.Equal(Registry.Usable(shape).Last().Name, Only(shape, Registry.Usable(shape).First().Name).Kernel(forced, shape).Name);
    }
}
