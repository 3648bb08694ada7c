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
        var a = architecture;
        var (n, c, asking) = ((long)a.Tokens, (long)a.Width, Asking(a));
        return work switch
        {
            Work.Embedding => (long)a.Patches * a.PatchInputs * c,
            Work.Qkv => (asking + 2 * a.Depth * n) * c * c,
            Work.Scores or Work.Values => asking * n * c,
            Work.Projection => asking * c * c,
            Work.Fc1 or Work.Fc2 => asking * c * a.MlpWidth,
            Work.Head => a.PrefixTokens * c * a.Classes,
            _ => 0,
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
            Work.Softmax => 2 * asking * a.Tokens * a.Heads,
            Work.Quantize => asking * (a.Width + a.MlpWidth),
            _ => 0,
        };
    }

    /// <summary>Multiply-adds of a forward pass, all kinds of work together, for one image.</summary>
    /// <param name="architecture">The model.</param>
    public static long MultiplyAdds(VitArchitecture architecture) => Enum.GetValues<Work>().Sum(work => MultiplyAdds(architecture, work));

    /// <summary>Tokens that ask and go on, over all blocks.</summary>
    static long Asking(VitArchitecture a) => (a.Depth - 1) * (long)a.Tokens + a.PrefixTokens;
}
