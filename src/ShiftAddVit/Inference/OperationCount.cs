using ShiftAddVit.Models;

namespace ShiftAddVit.Inference;

/// <summary>How many products a forward pass forms and adds up; a shift and add, of one term or two, counts as one.</summary>
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

    /// <summary>Multiply-adds of a forward pass, all kinds of work together, for one image.</summary>
    /// <param name="architecture">The model.</param>
    public static long MultiplyAdds(VitArchitecture architecture) => Enum.GetValues<Work>().Sum(work => MultiplyAdds(architecture, work));

    static long OfBlock(VitArchitecture a, int block, Work work)
    {
        var (n, c, form) = ((long)a.Tokens, (long)a.Width, a.Forms[block]);
        // Tokens that ask and go on.
        var asking = block == a.Depth - 1 ? a.PrefixTokens : n;
        var mlp = asking * c * a.MlpWidth;
        // A layer that is not cut makes queries of all tokens.
        var qkv = form.SplitsQkv || form.QkvExperts > 1 ? 3 * n * c * c : (asking + 2 * n) * c * c;
        return work switch
        {
            Work.Qkv => form.QkvExperts > 1 ? 0 : qkv,
            Work.Scores or Work.Values => asking * n * c,
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
