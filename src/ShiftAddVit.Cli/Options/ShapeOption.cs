using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using ShiftAddVit.Packing;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Cli.Options;

/// <summary>The shapes of <c>--shape M,K,N</c>, which may be given several times.</summary>
static class ShapeOption
{
    public static Option<ImmutableArray<MatrixShape>> Create() => new("--shape")
    {
        Description = "Rows, inputs and outputs of a product; several times for several (default: the paper's MatShift shapes)",
        HelpName = "M,K,N",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => KernelComparison.PaperShapes,
        CustomParser = result =>
        {
            var shapes = ImmutableArray.CreateBuilder<MatrixShape>();
            foreach (var token in result.Tokens)
                if (Parse(token.Value) is { } shape) shapes.Add(shape);
                else
                    result.AddError(
                        $"--shape {token.Value}: M,K,N is needed, each at least 1, K up to {PackFormat.MaxInputs}, and no product of two of them"
                        + $" above {KernelComparison.MaxElements}");
            return shapes.ToImmutable();
        },
    };

    static MatrixShape? Parse(string text)
    {
        int[] extents = [.. text.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0)];
        return extents is [var m, var k, var n] && new MatrixShape(m, k, n) is var shape && KernelComparison.Allows(shape) ? shape : null;
    }
}
