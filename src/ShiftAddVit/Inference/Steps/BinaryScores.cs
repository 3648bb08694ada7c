using System.Numerics;
using ShiftAddVit.Kernels;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Inference.Steps;

/// <summary>bq_i . bk_j of the codes of a head, by counting bits.</summary>
/// <param name="context">The session.</param>
/// <param name="form">Whether codes stand for +1 and -1, or for 1 and 0.</param>
/// <param name="heads">The codes.</param>
sealed unsafe class BinaryScores(StepContext context, AttentionForm form, BinaryHeads heads)
{
    /// <summary>Bits of a word, which all count as code bits: those beyond are 0 on both sides.</summary>
    const int WordBits = 64, Words = 2;

    readonly BitKernel _kernel = context.Model.Registry.Bits;

    int Tokens => context.Model.Architecture.Tokens;

    /// <summary>Bytes of packed keys and what is kept of each, a multiple of the alignment.</summary>
    public long KeyBytes => PackedBytes + AlignedBuffer.Align((long)Tokens * sizeof(int));

    long PackedBytes => AlignedBuffer.Align(_kernel.Packing.ByteLength(Tokens, WordBits));

    /// <summary>Packs the keys of a head.</summary>
    public void PackKeys(int image, int head, byte* packed)
    {
        var keys = heads.Keys(image, head);
        _kernel.Packing.PackBits(Tokens, WordBits, new(keys, Tokens * Words), new(packed, (int)(PackedBytes / sizeof(uint))));
        var counts = (int*)(packed + PackedBytes);
        for (var j = 0; j < Tokens; j++) counts[j] = BitOperations.PopCount(keys[j]);
    }

    /// <summary>Scores of some queries with packed keys.</summary>
    public void Run(int image, int head, int first, int count, byte* packed, int* scores, int stride)
    {
        var queries = heads.Queries(image, head) + first;
        _kernel.Run(new()
        {
            M = count, N = Tokens, K = WordBits, Activations = (uint*)queries, ActivationStride = Words, Weights = (uint*)packed,
            Output = scores, OutputStride = stride,
        });
        for (var i = 0; i < count; i++, scores += stride)
            if (!form.IsSigned) CountCommon(scores, BitOperations.PopCount(queries[i]), (int*)(packed + PackedBytes), Tokens);
            else if (form.CodeBits < WordBits) Subtract(scores, WordBits - form.CodeBits, Tokens);
    }

    /// <summary>The bits that both have: of 64 products +1 or -1 with sum c they are (c + 2 |a| + 2 |b| - 64) / 4.</summary>
    static void CountCommon(int* scores, int queryCount, int* keyCounts, int n)
    {
        var j = 0;
        for (; j <= n - Vector<int>.Count; j += Vector<int>.Count)
        {
            var doubled = (Vector.Load(keyCounts + j) + new Vector<int>(queryCount)) << 1;
            ((Vector.Load(scores + j) + doubled - new Vector<int>(WordBits)) >> 2).Store(scores + j);
        }
        for (; j < n; j++) scores[j] = (scores[j] + 2 * (keyCounts[j] + queryCount) - WordBits) >> 2;
    }

    static void Subtract(int* scores, int bits, int n)
    {
        for (var j = 0; j < n; j++) scores[j] -= bits;
    }
}
