using ShiftAddVit.Kernels;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Tests.Tuning;

public class LinearTrialTests
{
    static readonly KernelRegistry Registry = new(KernelIsa.Avx512Vnni);

    public static TheoryData<string, string> Cases
    {
        get
        {
            string[] epilogues = [nameof(Epilogue.Store), nameof(Epilogue.AddResidual), nameof(Epilogue.TableGelu), nameof(Epilogue.QuantizeHeads)];
            var cases = new TheoryData<string, string>();
            foreach (var kernel in Registry.Kernels.OfType<IntegerKernel>().Where(kernel => kernel.CanRun))
                foreach (var epilogue in epilogues) cases.Add($"{kernel.Name}", epilogue);
            return cases;
        }
    }

    static IntegerKernel Kernel(string name) => Registry.Kernels.OfType<IntegerKernel>().Single(kernel => $"{kernel.Name}" == name);

    [Theory, MemberData(nameof(Cases))]
    public void A_layer_is_what_its_scalar_twin_computes(string name, string epilogue)
    {
        var shape = new MatrixShape(17, 40, 128);
        using var memory = new TrialMemory(shape);
        using var trial = new LinearTrial(Registry, Kernel(name), shape, Enum.Parse<Epilogue>(epilogue), memory);
        trial.Run();
        Assert.True(trial.IsCorrect());
        Assert.NotEqual(0, memory.Output.AsSpan<int>()[^1] | memory.Output.AsSpan<int>()[0]);
    }

    [Fact]
    public void Another_epilogue_is_not_correct()
    {
        var shape = new MatrixShape(5, 40, 64);
        using var memory = new TrialMemory(shape);
        using var trial = new LinearTrial(Registry, new WrongKernel(), shape, Epilogue.Store, memory);
        Assert.False(trial.IsCorrect());
    }

    [Fact]
    public void Heads_are_quantised_where_outputs_are_whole_heads()
    {
        Assert.True(LinearTrial.Allows(new(1, 1, 128), Epilogue.QuantizeHeads));
        Assert.False(LinearTrial.Allows(new(1, 1, 100), Epilogue.QuantizeHeads));
        Assert.True(LinearTrial.Allows(new(1, 1, 100), Epilogue.TableGelu));
    }

    /// <summary>Takes the first activation of a row for all of them.</summary>
    sealed class WrongKernel() : IntegerKernel(Reference.Name, "wrong", Reference.Packing)
    {
        static readonly IntegerKernel Reference = Kernel("MatMul_U8S8I32_1x1_Reference");

        public override void Run(in IntegerOperands o)
        {
            var wrong = o;
            wrong.ActivationStride = 0;
            Reference.Run(wrong);
        }
    }
}
