using ShiftAddVit.Cli.Output;
using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Cli;

/// <summary>Compiles the models that verbs run, with a word to the user where they run more slowly than they could.</summary>
static class Compilation
{
    /// <summary>Compiles a model for this process and says what was passed over.</summary>
    public static CompiledModel Compile(this CommandConsole console, VitGraph graph, bool exact = false)
    {
        console.WarnOfKernels();
        var model = CompiledModel.Compile(graph, new() { Exact = exact });
        foreach (var warning in model.Warnings) console.Warn(warning);
        return model;
    }

    /// <summary>Says what kernels this process has to do without.</summary>
    public static void WarnOfKernels(this CommandConsole console)
    {
        if (KernelRegistry.Default.Warning is { } warning) console.Warn(warning);
    }
}
