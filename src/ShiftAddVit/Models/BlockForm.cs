using System.Collections.Immutable;

namespace ShiftAddVit.Models;

/// <summary>
/// How one block differs from that of a pre-trained model: its attention, and how many experts each of its layers has (1: it is an
/// ordinary layer).
/// </summary>
public sealed record BlockForm
{
    /// <summary>The most experts of a layer.</summary>
    public const int MaxExperts = 8;

    /// <summary>Softmax attention, no experts.</summary>
    public static BlockForm Plain { get; } = new();

    /// <summary>The attention.</summary>
    public AttentionForm Attention { get; init; } = AttentionForm.Softmax;

    /// <summary>Whether queries, keys and values have a layer each.</summary>
    public bool SplitsQkv { get; init; }

    /// <summary>Experts of the layer of queries, keys and values, or of each of the three.</summary>
    public int QkvExperts { get; init; } = 1;

    /// <summary>Experts of attention's output projection.</summary>
    public int ProjectionExperts { get; init; } = 1;

    /// <summary>Experts of the first layer of the MLP.</summary>
    public int Fc1Experts { get; init; } = 1;

    /// <summary>Experts of the second layer of the MLP.</summary>
    public int Fc2Experts { get; init; } = 1;

    /// <summary>MLPs of which one is chosen for a token; then their layers have no experts of their own.</summary>
    public int MlpExperts { get; init; } = 1;

    /// <summary>Checks the numbers.</summary>
    /// <param name="source">What to name in the error.</param>
    /// <param name="headSize">D.</param>
    /// <exception cref="ShiftAddVitException">They do not fit together; the message says what is allowed.</exception>
    public void Validate(string source, int headSize)
    {
        Attention.Validate(source, headSize);
        foreach (var experts in (int[])[QkvExperts, ProjectionExperts, Fc1Experts, Fc2Experts, MlpExperts])
            if (experts is < 1 or > MaxExperts) throw new ShiftAddVitException($"{source}: {experts} experts of a layer; allowed: 1..{MaxExperts}");
        if (MlpExperts > 1 && (Fc1Experts > 1 || Fc2Experts > 1))
            throw new ShiftAddVitException($"{source}: experts of whole MLPs and of their layers; allowed: one or the other");
    }
}

/// <summary>The form of every block. Immutable; equal when all blocks are.</summary>
public sealed class BlockForms : IEquatable<BlockForms>
{
    readonly ImmutableArray<BlockForm> _forms;

    BlockForms(ImmutableArray<BlockForm> forms) => _forms = forms;

    /// <summary>All blocks as in a pre-trained model, however many there are.</summary>
    public static BlockForms Plain { get; } = new([]);

    /// <summary>The forms of blocks 0, 1, ...</summary>
    public static BlockForms Of(IEnumerable<BlockForm> forms)
    {
        ImmutableArray<BlockForm> all = [.. forms];
        return all.All(form => form == BlockForm.Plain) ? Plain : new(all);
    }

    /// <summary>Whether every block is as in a pre-trained model.</summary>
    public bool IsPlain => _forms.IsEmpty;

    /// <summary>How many blocks have a form of their own: all, or none where all are plain.</summary>
    public int Count => _forms.Length;

    /// <summary>The form of a block.</summary>
    public BlockForm this[int block] => IsPlain ? BlockForm.Plain : _forms[block];

    /// <inheritdoc/>
    public bool Equals(BlockForms? other) => other is not null && _forms.AsSpan().SequenceEqual(other._forms.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as BlockForms);

    /// <inheritdoc/>
    public override int GetHashCode() => _forms.Aggregate(0, HashCode.Combine);

    /// <summary>The attention of each block.</summary>
    public override string ToString() => IsPlain ? "plain" : string.Join(", ", _forms.Select(form => form.Attention));
}
