using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using ShiftAddVit.Packing;
using ShiftAddVit.Tuning;

namespace ShiftAddVit.Cli.Options;

/// <summary>Shapes to compare kernels on, which may be given several times.</summary>
static class ShapeOption
{
    /// <summary><c>--shape M,K,N</c>.</summary>
    public static Option<ImmutableArray<MatrixShape>> OfMatrix() => Create<MatrixShape>(
        "--shape", "M,K,N", "Rows, inputs and outputs of a product; several times for several (default: the paper's MatShift shapes)",
        extents => extents is [var m, var k, var n] ? new(m, k, n) : null, KernelComparison.Allows,
        $"each at least 1, K up to {PackFormat.MaxInputs}, and no product of two of them above {KernelComparison.MaxElements}");

    /// <summary><c>--head-shape H,N,D,I</c>.</summary>
    public static Option<ImmutableArray<HeadShape>> OfHead() => Create<HeadShape>(
        "--head-shape", "H,N,D,I",
        "Heads, tokens, channels and code bits of binary attention; several times for several (default: the paper's and DeiT-Tiny's)",
        extents => extents is [var h, var n, var d, var i] ? new(h, n, d, i) : null, HeadComparison.Allows,
        $"each at least 1, I up to {HeadComparison.MaxBits}, and neither H*N*N nor H*N*D above {KernelComparison.MaxElements}");

    static Option<ImmutableArray<T>> Create<T>(
        string name, string extents, string description, Func<int[], T?> parse, Predicate<T> allows, string allowed) where T : struct => new(name)
    {
        Description = description,
        HelpName = extents,
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        {
            var shapes = ImmutableArray.CreateBuilder<T>();
            foreach (var token in result.Tokens)
                if (parse(Extents(token.Value)) is { } shape && allows(shape)) shapes.Add(shape);
                else result.AddError($"{name} {token.Value}: {extents} is needed, {allowed}");
            return shapes.ToImmutable();
        },
    };

    /// <summary>What is no number is 0, which no shape allows.</summary>
    static int[] Extents(string text) =>
        [.. text.Split(',').Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0)];
}
