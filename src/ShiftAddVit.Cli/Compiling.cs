using ShiftAddVit.Cli.Output;
using ShiftAddVit.Inference;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;

namespace ShiftAddVit.Cli;

/// <summary>Models made ready to run, with a word to the user where they run more slowly than they could.</summary>
static class Compiling
{
    public static CompiledModel Compile(CommandConsole console, VitGraph graph)
    {
        Warn(console);
        return CompiledModel.Compile(graph);
    }

    public static void Warn(CommandConsole console)
    {
        if (KernelRegistry.Default.Warning is { } warning) console.Warning(warning);
    }
}
