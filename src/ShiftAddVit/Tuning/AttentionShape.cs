using System.Collections.Immutable;
using System.Globalization;
using ShiftAddVit.Models;

namespace ShiftAddVit.Tuning;

/// <summary>How attention on bytes is cut.</summary>
/// <param name="Queries">Queries at a time, whose scores stay in a near cache.</param>
/// <param name="PartsPerThread">Parts that a thread gets on average, so that uneven ones even out; each packs a head's values anew.</param>
public readonly record struct AttentionSplit(int Queries, int PartsPerThread)
{
    /// <summary>The bounds of a block of queries.</summary>
    public const int LeastQueries = 24, MostQueries = 198;

    /// <summary>The most parts for a thread.</summary>
    public const int MostParts = 16;

    /// <summary>Unless tuned.</summary>
    public static AttentionSplit Static { get; } = new(99, 4);

    /// <summary>Whether it lies within the bounds.</summary>
    internal bool IsAllowed => Queries is >= LeastQueries and <= MostQueries && PartsPerThread is >= 1 and <= MostParts;

    /// <summary>Pieces that the queries of one head are cut into.</summary>
    /// <param name="heads">Heads of all images of a call.</param>
    /// <param name="threads">Threads that share them.</param>
    /// <param name="queries">How many tokens ask.</param>
    public int Pieces(int heads, int threads, int queries) => threads == 1
        ? 1
        : Math.Clamp(PartsPerThread * threads / heads, 1, (queries + LeastQueries - 1) / LeastQueries);

    /// <summary>E.g. <c>99 queries, 4 parts a thread</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Queries} queries, {PartsPerThread} part{(PartsPerThread == 1 ? "" : "s")} a thread");
}

/// <summary>The attention of an image on bytes: what an <see cref="AttentionSplit"/> is tuned for.</summary>
/// <param name="Tokens">N.</param>
/// <param name="Heads">H.</param>
/// <param name="HeadSize">D.</param>
/// <param name="Threads">Threads that share the heads.</param>
public readonly record struct AttentionShape(int Tokens, int Heads, int HeadSize, int Threads)
{
    /// <summary>What is tried; one thread takes heads as they are.</summary>
    public ImmutableArray<AttentionSplit> Candidates
    {
        get
        {
            int[] parts = Threads == 1 ? [AttentionSplit.Static.PartsPerThread] : [1, 2, AttentionSplit.Static.PartsPerThread, 8];
            return [.. from queries in (int[])[AttentionSplit.LeastQueries, 48, AttentionSplit.Static.Queries, AttentionSplit.MostQueries]
                       from count in parts select new AttentionSplit(queries, count)];
        }
    }

    /// <summary>The attention of a model.</summary>
    public static AttentionShape Of(VitArchitecture architecture, int threads)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        return new(architecture.Tokens, architecture.Heads, architecture.HeadSize, threads);
    }

    /// <summary>Extents and threads, e.g. <c>attention of 197 tokens, 3x64, 2 threads</c>.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"attention of {Tokens} tokens, {Heads}x{HeadSize}, {Threads} {(Threads == 1 ? "thread" : "threads")}");
}
