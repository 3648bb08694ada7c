using ShiftAddVit.Kernels.Reference;
using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Tests.Inference;

/// <summary>Layers with experts, a token at a time: routed by the reference, the expert in double precision, its output times the gate.</summary>
static class ScalarMixture
{
    /// <summary>What a layer makes of rows x.</summary>
    public static double[] Layer(Layer layer, float[] x) => layer switch
    {
        Mixture mixture => Rows(x, mixture.Inputs, row => Gated(Route(mixture.Router, row), e => ScalarModel.Linear(mixture.Experts[e], row))),
        QkvSplit split => Rows(x, split.Inputs, row => [.. Layer(split.Queries, row), .. Layer(split.Keys, row), .. Layer(split.Values, row)]),
        _ => ScalarModel.Linear((Linear)layer, x),
    };

    /// <summary>What an MLP of experts makes of rows x.</summary>
    public static double[] Mlp(MlpMixture mlp, float[] x) => Rows(x, mlp.Router.Inputs, row => Gated(Route(mlp.Router, row), e =>
    {
        var hidden = ScalarModel.Gelu(ScalarModel.Linear((Linear)mlp.Experts[e].Fc1, row));
        return ScalarModel.Linear((Linear)mlp.Experts[e].Fc2, [.. hidden.Select(value => (float)value)]);
    }));

    /// <summary>The expert of a token and its gate; the router's weights in 8 bits, each row scaled by its largest.</summary>
    public static (int Expert, float Gate) Route(Linear router, float[] x)
    {
        var weight = router.Weight as QuantizedWeight ?? NearestQuantizer.ByMagnitude(router.Weight.ToFloat32());
        var integers = new sbyte[router.Outputs * router.Inputs];
        for (var e = 0; e < router.Outputs; e++) weight.Plane.DecodeRow(e, part: 0, integers.AsSpan(e * router.Inputs, router.Inputs));
        var (q, scale) = ScalarModel.Quantize(x);
        byte[] bytes = [.. q.Select(value => (byte)(value + 128))];
        return RouterReference.Route(bytes, scale, integers, weight.Scales.Values, router.Bias!.Values);
    }

    static double[] Gated((int Expert, float Gate) route, Func<int, double[]> expert) => [.. expert(route.Expert).Select(y => y * route.Gate)];

    static double[] Rows(float[] x, int columns, Func<float[], double[]> of) => [.. x.Chunk(columns).SelectMany(of)];
}
