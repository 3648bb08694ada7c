using ShiftAddVit.Models;

namespace ShiftAddVit.Inference;

/// <summary>
/// How many products a forward pass forms and adds up; a shift and add, of one term or two, counts as one, and so does an add that a code bit selects or
/// a pair of code bits that are compared and counted.
/// </summary>
public static class OperationCount
{
    /// <summary>
    /// Multiply-adds of a kind of work for one image. Of the last block only what the heads read is counted, as only that is computed: keys and
    /// values of all N tokens, everything else for the prefix tokens.
    /// </summary>
    /// <param name="architecture">The model.</param>
    /// <param name="work">What is counted; 0 for work that is no matrix product.</param>
    public static long MultiplyAdds(VitArchitecture architecture, Work work)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var a = architecture;
        var (n, c) = ((long)a.Tokens, (long)a.Width);
        // Tokens that ask and go on, over all blocks.
        var asking = (a.Depth - 1) * n + a.PrefixTokens;
        return work switch
        {
            Work.Embedding => (long)a.Patches * a.PatchInputs * c,
            Work.Qkv => (asking + 2 * a.Depth * n) * c * c,
            Work.KeyBias => Blocks(form => form.KeyBias).Count() * n * c * a.Heads,
            Work.Scores => Blocks(form => !form.IsLinear).Sum(i => Asking(i) * n * ScoreBits(i) * a.Heads),
            Work.Values => Blocks(form => !form.IsLinear).Sum(i => Asking(i) * n * c),
            Work.KeyValues => Blocks(form => form.IsLinear).Sum(i => n * a.Forms[i].Attention.CodeBits * c),
            Work.QueryValues => Blocks(form => form.IsLinear).Sum(i => Asking(i) * a.Forms[i].Attention.CodeBits * c),
            Work.Projection => asking * c * c,
            Work.Fc1 or Work.Fc2 => asking * c * a.MlpWidth,
            Work.Head => a.PrefixTokens * c * a.Classes,
            _ => 0,
        };

        IEnumerable<int> Blocks(Func<AttentionForm, bool> which) => Enumerable.Range(0, a.Depth).Where(i => which(a.Forms[i].Attention));

        long Asking(int block) => block == a.Depth - 1 ? a.PrefixTokens : n;

        long ScoreBits(int block) => a.Forms[block].Attention is { IsBinary: true } form ? form.CodeBits : a.HeadSize;
    }

    /// <summary>Multiply-adds of a forward pass, all kinds of work together, for one image.</summary>
    /// <param name="architecture">The model.</param>
    public static long MultiplyAdds(VitArchitecture architecture) => Enum.GetValues<Work>().Sum(work => MultiplyAdds(architecture, work));
}
