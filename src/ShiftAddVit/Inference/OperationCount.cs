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
        var (n, c, asking) = ((long)a.Tokens, (long)a.Width, Asking(a));
        return work switch
        {
            Work.Embedding => (long)a.Patches * a.PatchInputs * c,
            Work.Qkv => (asking + 2 * a.Depth * n) * c * c,
            Work.KeyBias => Blocks(form => form.KeyBias).Count() * n * c * a.Heads,
            Work.Scores => Blocks(form => !form.IsLinear).Sum(i => AskingOf(a, i) * n * ScoreBits(i) * a.Heads),
            Work.Values => Blocks(form => !form.IsLinear).Sum(i => AskingOf(a, i) * n * c),
            Work.KeyValues => Blocks(form => form.IsLinear).Sum(i => n * a.Forms[i].Attention.CodeBits * c),
            Work.QueryValues => Blocks(form => form.IsLinear).Sum(i => AskingOf(a, i) * a.Forms[i].Attention.CodeBits * c),
            Work.Projection => asking * c * c,
            Work.Fc1 or Work.Fc2 => asking * c * a.MlpWidth,
            Work.Head => a.PrefixTokens * c * a.Classes,
            _ => 0,
        };

        IEnumerable<int> Blocks(Func<AttentionForm, bool> which) => BlocksOf(a, which);

        long ScoreBits(int block) => a.Forms[block].Attention is { IsBinary: true } form ? form.CodeBits : a.HeadSize;
    }

    /// <summary>
    /// Float32 multiplications that the definitions of what is no matrix product ask for, for one image of a quantised model as it runs by default:
    /// four for an element normed and quantised (its square; by the deviation, by gamma; by 127 over the largest), one for an element quantised,
    /// two for a score (by its key's scale; by the steps of the exponential). What goes on among a product is counted with neither. Processors add,
    /// compare, convert and move beside multiplications, so the time of these is a lower bound.
    /// </summary>
    /// <param name="architecture">The model.</param>
    /// <param name="work">What is counted; 0 for matrix products and for what multiplies nothing.</param>
    public static long Multiplications(VitArchitecture architecture, Work work)
    {
        ArgumentNullException.ThrowIfNull(architecture);
        var a = architecture;
        var (all, asking) = ((long)a.Depth * a.Tokens, Asking(a));
        return work switch
        {
            Work.Patches => (long)a.Patches * a.PatchInputs,
            Work.Norm => 4 * (all + asking) * a.Width,
            Work.PackHeads => all * a.Width,
            Work.Softmax => 2 * BlocksOf(a, form => !form.IsLinear).Sum(i => AskingOf(a, i)) * a.Tokens * a.Heads,
            Work.Quantize => asking * (a.Width + a.MlpWidth),
            _ => 0,
        };
    }

    /// <summary>Multiply-adds of a forward pass, all kinds of work together, for one image.</summary>
    /// <param name="architecture">The model.</param>
    public static long MultiplyAdds(VitArchitecture architecture) => Enum.GetValues<Work>().Sum(work => MultiplyAdds(architecture, work));

    /// <summary>Tokens that ask and go on, over all blocks.</summary>
    static long Asking(VitArchitecture a) => Enumerable.Range(0, a.Depth).Sum(block => AskingOf(a, block));

    static long AskingOf(VitArchitecture a, int block) => block == a.Depth - 1 ? a.PrefixTokens : a.Tokens;

    static IEnumerable<int> BlocksOf(VitArchitecture a, Func<AttentionForm, bool> which) =>
        Enumerable.Range(0, a.Depth).Where(i => which(a.Forms[i].Attention));
}
