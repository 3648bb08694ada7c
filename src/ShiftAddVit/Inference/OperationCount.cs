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
        return work switch
        {
            Work.Embedding => (long)architecture.Patches * architecture.PatchInputs * architecture.Width,
            Work.Head => (long)architecture.PrefixTokens * architecture.Width * architecture.Classes,
            _ => Enumerable.Range(0, architecture.Depth).Sum(block => OfBlock(architecture, block, work)),
        };
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

    static long OfBlock(VitArchitecture a, int block, Work work)
    {
        var (n, c, form) = ((long)a.Tokens, (long)a.Width, a.Forms[block]);
        var (asking, attention) = ((long)AskingOf(a, block), form.Attention);
        var mlp = asking * c * a.MlpWidth;
        // A layer that is not cut makes queries of all tokens.
        var qkv = form.SplitsQkv || form.QkvExperts > 1 ? 3 * n * c * c : (asking + 2 * n) * c * c;
        return work switch
        {
            Work.Qkv => form.QkvExperts > 1 ? 0 : qkv,
            Work.KeyBias => attention.KeyBias ? n * c * a.Heads : 0,
            Work.Scores => attention.IsLinear ? 0 : asking * n * a.Heads * (attention.IsBinary ? attention.CodeBits : a.HeadSize),
            Work.Values => attention.IsLinear ? 0 : asking * n * c,
            Work.KeyValues => attention.IsLinear ? n * attention.CodeBits * c : 0,
            Work.QueryValues => attention.IsLinear ? asking * attention.CodeBits * c : 0,
            Work.Projection => form.ProjectionExperts > 1 ? 0 : asking * c * c,
            Work.Fc1 => Mixes(form.Fc1Experts) ? 0 : mlp,
            Work.Fc2 => Mixes(form.Fc2Experts) ? 0 : mlp,
            Work.Experts => (form.QkvExperts > 1 ? qkv : 0) + (form.ProjectionExperts > 1 ? asking * c * c : 0)
                + (Mixes(form.Fc1Experts) ? mlp : 0) + (Mixes(form.Fc2Experts) ? mlp : 0),
            Work.Router => Routed(form.QkvExperts, n * c * (form.SplitsQkv ? 3 : 1)) + Routed(form.ProjectionExperts, asking * c)
                + Routed(form.MlpExperts, asking * c) + Routed(form.Fc1Experts, asking * c) + Routed(form.Fc2Experts, asking * a.MlpWidth),
            _ => 0,
        };

        bool Mixes(int experts) => experts > 1 || form.MlpExperts > 1;

        static long Routed(int experts, long inputs) => experts > 1 ? experts * inputs : 0;
    }
}
