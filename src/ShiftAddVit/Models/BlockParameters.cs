using ShiftAddVit.Tensors;

namespace ShiftAddVit.Models;

/// <summary>The parameters of one block under their names within it, in the order of the forward pass.</summary>
sealed record BlockParameters(VitArchitecture Architecture, BlockForm Form)
{
    int Width => Architecture.Width;

    public IEnumerable<(string Name, Shape Shape)> All() =>
        [.. Norm("norm1"), .. Qkv(), .. Attention(), .. Layer("attn.proj", Width, Width, Form.ProjectionExperts), .. Norm("norm2"), .. Mlp()];

    /// <summary>Whether queries, keys and values have a bias: the thresholds of codes are part of it.</summary>
    public static bool HasQkvBias(VitArchitecture architecture, BlockForm form) => architecture.QkvBias || form.Attention.IsBinary;

    IEnumerable<(string, Shape)> Qkv()
    {
        var bias = HasQkvBias(Architecture, Form);
        return Form.SplitsQkv
            ? QkvSplit.Parts.SelectMany(part => Layer($"attn.{part}", Width, Width, Form.QkvExperts, bias))
            : Layer("attn.qkv", 3 * Width, Width, Form.QkvExperts, bias);
    }

    /// <summary>What the form of attention has besides its layers.</summary>
    IEnumerable<(string, Shape)> Attention()
    {
        var (attention, heads) = (Form.Attention, Architecture.Heads);
        if (attention.KeyBias) yield return ("attn.key_bias.weight", new(heads, Width));
        if (attention.Kind == AttentionKind.Quadratic) yield return ("attn.temperature", new(heads));
        if (attention.Kind == AttentionKind.Taylor)
        {
            yield return ("attn.gain", new(Width));
            yield return ("attn.skip", new(Width));
        }
        if (attention.Convolution)
            yield return ("attn.convolution", attention.Kind == AttentionKind.Taylor ? new(Width, Convolutions.GridTaps) : new(heads, Convolutions.TokenTaps));
        if (attention.Codes != CodeRule.Ksh || !attention.IsBinary) yield break;
        yield return ("attn.hash.anchors", new(heads, KernelHash.AnchorCount, Architecture.HeadSize));
        yield return ("attn.hash.spread", new(heads));
        yield return ("attn.hash.mean", new(heads, KernelHash.AnchorCount));
        yield return ("attn.hash.projection", new(heads, attention.CodeBits, KernelHash.AnchorCount));
    }

    IEnumerable<(string, Shape)> Mlp() => Form.MlpExperts > 1
        ? [.. Linear("mlp.router", Form.MlpExperts, Width), .. Enumerable.Range(0, Form.MlpExperts).SelectMany(e => Mlp($"mlp.experts.{e}.", 1, 1))]
        : Mlp("mlp.", Form.Fc1Experts, Form.Fc2Experts);

    IEnumerable<(string, Shape)> Mlp(string prefix, int fc1Experts, int fc2Experts) =>
    [
        .. Layer(prefix + "fc1", Architecture.MlpWidth, Width, fc1Experts), .. Layer(prefix + "fc2", Width, Architecture.MlpWidth, fc2Experts),
    ];

    static IEnumerable<(string, Shape)> Layer(string name, int outputs, int inputs, int experts, bool bias = true) => experts == 1
        ? Linear(name, outputs, inputs, bias)
        : [.. Linear(name + ".router", experts, inputs), .. Enumerable.Range(0, experts).SelectMany(e => Linear($"{name}.experts.{e}", outputs, inputs, bias))];

    static IEnumerable<(string, Shape)> Linear(string name, int outputs, int inputs, bool bias = true)
    {
        yield return (name + ".weight", new(outputs, inputs));
        if (bias) yield return (name + ".bias", new(outputs));
    }

    IEnumerable<(string, Shape)> Norm(string name)
    {
        yield return (name + ".weight", new(Width));
        yield return (name + ".bias", new(Width));
    }
}
