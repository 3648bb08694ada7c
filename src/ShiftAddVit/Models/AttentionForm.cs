namespace ShiftAddVit.Models;

/// <summary>How the tokens of a head attend to each other. Letters: q, k, v of tokens i and j; bq, bk their codes; H heads.</summary>
public enum AttentionKind
{
    /// <summary>y_i = SUM_j softmax_j(q_i . k_j / sqrt D) v_j: what pre-trained models have.</summary>
    Softmax,

    /// <summary>y_i = SUM_j softmax_j(tau_h [mean|q_i| mean|k_j|] bq_i . bk_j [+ beta_j]) v_j.</summary>
    Quadratic,

    /// <summary>y_i = mu + g [mean|q_i|] bq_i (bk^T [w (v - mu)]) + a v_i [+ conv(v)_i], w = softmax_j(beta), mu = SUM_j w_j v_j.</summary>
    Taylor,

    /// <summary>y_i = norm(v_i / 2 + bq_i (bk^T v) / pi) [+ conv(v)_i] (ShiftAddViT): the norm divides by sqrt(||y||^2 + epsilon).</summary>
    Angular,

    /// <summary>y_i = SUM_j s_ij v_j / SUM_j s_ij, s_ij = bq_i . bk_j + bits + 1 (EcoFormer, NeurIPS 2022).</summary>
    EcoFormer,
}

/// <summary>How queries and keys become codes of one bit.</summary>
public enum CodeRule
{
    /// <summary>+1 where an element is above its threshold, else -1. The thresholds are part of the projection's bias.</summary>
    Sign,

    /// <summary>1 where an element is above its threshold, else 0. The thresholds are part of the projection's bias.</summary>
    Quant,

    /// <summary>Kernelised hashing (EcoFormer): the signs of a few projections of Gaussian similarities to anchors.</summary>
    Ksh,
}

/// <summary>Attention as one block computes it. What the forms compute stands at <see cref="AttentionKind"/>.</summary>
/// <param name="Kind">The formula.</param>
/// <param name="Codes">How queries and keys are coded; nothing for softmax.</param>
/// <param name="CodeBits">Bits of a code: D for signs and thresholds, any number for hashes; 0 for softmax.</param>
/// <param name="KeyBias">Whether there is beta_j, a linear output of token j for each head: how much it is attended to by all.</param>
/// <param name="CodeScales">Whether the mean magnitudes of what codes were made of are multiplied back.</param>
/// <param name="Convolution">Whether neighbouring values are added: 3x3 on the patch grid (Taylor), or 9 along the tokens (angular).</param>
public sealed record AttentionForm(AttentionKind Kind, CodeRule Codes, int CodeBits, bool KeyBias, bool CodeScales, bool Convolution)
{
    /// <summary>The longest code: a word of 64 bits.</summary>
    public const int MaxCodeBits = 64;

    /// <summary>Bits of a hash unless asked for others, as in the papers.</summary>
    public const int DefaultHashBits = 16;

    /// <summary>What pre-trained models have.</summary>
    public static AttentionForm Softmax { get; } = new(AttentionKind.Softmax, CodeRule.Sign, 0, false, false, false);

    /// <summary>Whether queries and keys are codes.</summary>
    public bool IsBinary => Kind != AttentionKind.Softmax;

    /// <summary>Whether its cost grows linearly with the number of tokens.</summary>
    public bool IsLinear => Kind is AttentionKind.Taylor or AttentionKind.Angular or AttentionKind.EcoFormer;

    /// <summary>Whether codes stand for +1 and -1, not for 1 and 0.</summary>
    public bool IsSigned => Codes == CodeRule.Sign || Kind == AttentionKind.EcoFormer;

    /// <summary>A form with the codes and extras that serve it best, or with the codes asked for.</summary>
    /// <param name="kind">The formula.</param>
    /// <param name="headSize">D.</param>
    /// <param name="codes">How to code; null for the form's own choice.</param>
    public static AttentionForm Default(AttentionKind kind, int headSize, CodeRule? codes = null)
    {
        if (kind == AttentionKind.Softmax) return Softmax;
        var rule = codes ?? CodesOf(kind)[0];
        return new(
            kind, rule, rule == CodeRule.Ksh ? DefaultHashBits : headSize,
            KeyBias: kind is AttentionKind.Quadratic or AttentionKind.Taylor,
            CodeScales: kind is AttentionKind.Quadratic or AttentionKind.Taylor && rule != CodeRule.Ksh,
            Convolution: kind is AttentionKind.Taylor or AttentionKind.Angular);
    }

    /// <summary>The codes that a form takes, its own choice first.</summary>
    public static IReadOnlyList<CodeRule> CodesOf(AttentionKind kind) => kind switch
    {
        AttentionKind.Quadratic or AttentionKind.Taylor => [CodeRule.Sign, CodeRule.Quant],
        AttentionKind.Angular => [CodeRule.Quant, CodeRule.Ksh],
        AttentionKind.EcoFormer => [CodeRule.Ksh],
        _ => [],
    };

    /// <summary>Checks that the parts fit together and the head.</summary>
    /// <param name="source">What to name in the error.</param>
    /// <param name="headSize">D.</param>
    /// <exception cref="ShiftAddVitException">They do not; the message says what is allowed.</exception>
    public void Validate(string source, int headSize)
    {
        if (Kind == AttentionKind.Softmax)
        {
            Require(this == Softmax, "softmax attention has no codes, key bias, code scales or convolution");
            return;
        }
        var name = $"{Kind}".ToLowerInvariant();
        var allowed = string.Join(" and ", CodesOf(Kind).Select(rule => $"{rule}".ToLowerInvariant()));
        Require(CodesOf(Kind).Contains(Codes), $"{name} attention with codes {Codes}".ToLowerInvariant() + $"; it takes {allowed}");
        if (Codes == CodeRule.Ksh) Require(CodeBits is >= 1 and <= MaxCodeBits, $"hashes of {CodeBits} bits; allowed: 1..{MaxCodeBits}");
        else Require(CodeBits == headSize, $"codes of {CodeBits} bits for heads of {headSize} channels; allowed: {headSize}, a bit a channel");
        Require(headSize <= MaxCodeBits, $"heads of {headSize} channels; binary attention takes at most {MaxCodeBits}");
        Require(!KeyBias || Kind is AttentionKind.Quadratic or AttentionKind.Taylor, $"{name} attention has no key bias; quadratic and taylor have");
        Require(!CodeScales || (Codes != CodeRule.Ksh && Kind is AttentionKind.Quadratic or AttentionKind.Taylor),
            $"{name} attention has no code scales; quadratic and taylor have");
        Require(!Convolution || Kind is AttentionKind.Taylor or AttentionKind.Angular, $"{name} attention has no convolution; taylor and angular have");

        void Require(bool holds, string problem)
        {
            if (!holds) throw new ShiftAddVitException($"{source}: {problem}");
        }
    }

    /// <summary>Kind, codes and extras, e.g. <c>taylor sign 64 key-bias code-scales conv</c>.</summary>
    public override string ToString() => Kind == AttentionKind.Softmax
        ? "softmax"
        : $"{Kind} {Codes} {CodeBits}".ToLowerInvariant()
            + $"{(KeyBias ? " key-bias" : "")}{(CodeScales ? " code-scales" : "")}{(Convolution ? " conv" : "")}";
}
