using ShiftAddVit.Cli.Output;
using ShiftAddVit.Inference;
using ShiftAddVit.Models;

namespace ShiftAddVit.Cli;

/// <summary>Compiles the models that verbs run.</summary>
static class Compilation
{
    /// <summary>Compiles a model for this process and says what was passed over.</summary>
    public static CompiledModel Compile(this CommandConsole console, VitGraph graph)
    {
        var model = CompiledModel.Compile(graph);
        foreach (var warning in model.Warnings) console.Warn(warning);
        return model;
    }
}
