using System.Collections.Immutable;
using System.Globalization;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tuning;

/// <summary>
/// What is done row by row between the attention of one block and of the next: projection, norm, fc1, gelu, fc2, norm, qkv. A thread takes
/// a block of rows through all of it; how many rows that are is tuned for each number of threads, for one image and for many.
/// </summary>
/// <param name="Weights">The format of the weights.</param>
/// <param name="Tokens">Rows of an image.</param>
/// <param name="Width">C, channels of a row.</param>
/// <param name="MlpWidth">Outputs of fc1.</param>
/// <param name="HeadSize">D, channels of a head.</param>
/// <param name="Threads">Threads that share the rows.</param>
/// <param name="Images">Images of a call; <see cref="Many"/> stands for more as well.</param>
public readonly record struct RowChain(WeightFormat Weights, int Tokens, int Width, int MlpWidth, int HeadSize, int Threads, int Images = 1)
{
    /// <summary>
    /// Rows at a time that kernels are chosen for: the weights are brought into their order once, for sessions of any row block, and how
    /// kernels rank does not depend on it beyond a few tiles.
    /// </summary>
    public const int KernelRows = 24;

    /// <summary>Images that are many: with more of them a thread gets more blocks, but no others.</summary>
    public const int Many = 8;

    /// <summary>The bounds of a block: below, a tile; above, what still stays in the second-level cache.</summary>
    public const int LeastRows = 12, MostRows = 198;

    /// <summary>Of the static choice. Measured on Zen 4, DeiT-Tiny, one thread: the chain is as fast with 66, 10 % slower with 24.</summary>
    const int StaticMostRows = 99;

    /// <summary>The numbers of rows that are tried.</summary>
    public ImmutableArray<int> Candidates => [.. new[] { LeastRows, 24, 36, 48, 66, 99, MostRows, StaticRows }.Distinct()];

    /// <summary>Rows of a block unless tuned: the same for every thread, in as few blocks as have no more than 99.</summary>
    public int StaticRows
    {
        get
        {
            var blocks = Threads * CeilingOf(Rows, StaticMostRows * Threads);
            return Math.Clamp(CeilingOf(Rows, blocks), LeastRows, StaticMostRows);
        }
    }

    /// <summary>Rows of all images.</summary>
    public int Rows => Images * Tokens;

    /// <summary>The chain of a model; its MLP says the format.</summary>
    public static RowChain Of(VitGraph graph, int threads, int images = 1)
    {
        ArgumentNullException.ThrowIfNull(graph);
        var (a, fc1) = (graph.Architecture, graph.Linears().First(linear => linear.Role == LinearRole.Fc1));
        return new(fc1.Weight.Format, a.Tokens, a.Width, a.MlpWidth, a.HeadSize, threads, Math.Min(images, Many));
    }

    static int CeilingOf(int dividend, int divisor) => (dividend + divisor - 1) / divisor;

    /// <summary>Format, extents, threads and images, e.g. <c>P4P4 197x192x768, 2 threads, 8 images</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Weights} {Tokens}x{Width}x{MlpWidth}, {Threads} thread{Plural(Threads)}, {Images} image{Plural(Images)}");

    static string Plural(int count) => count == 1 ? "" : "s";
}
