using ShiftAddVit.Models;
using ShiftAddVit.Reparameterization;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Tests;

/// <summary>Small models with experts.</summary>
static class MixtureModels
{
    /// <summary>Every scope, in sets that go together.</summary>
    public static MixtureScope[][] Scopes { get; } =
    [
        [MixtureScope.Qkv, MixtureScope.Projection, MixtureScope.Fc1, MixtureScope.Fc2], [MixtureScope.QueriesKeysValues, MixtureScope.Fc1], [MixtureScope.Mlp],
    ];

    /// <summary>Experts of every format, two and three.</summary>
    public static WeightFormat[][] Experts { get; } =
    [
        [WeightFormat.F32, WeightFormat.P4], [WeightFormat.S8, WeightFormat.P4P4], [WeightFormat.F32, WeightFormat.S8, WeightFormat.P4],
        [WeightFormat.P4P4, WeightFormat.P4, WeightFormat.S8],
    ];

    /// <summary>As the pass makes it: every token goes to the first expert.</summary>
    public static VitGraph Converted(MixtureScope[] scopes, WeightFormat[] experts, VitArchitecture? architecture = null) =>
        MixturePass.Apply(TinyModels.Create(architecture), scopes, [.. experts]).Graph;

    /// <summary>The same with routers that send tokens to every expert.</summary>
    public static VitGraph Create(MixtureScope[] scopes, WeightFormat[] experts, VitArchitecture? architecture = null)
    {
        var random = new Random(3);
        return Converted(scopes, experts, architecture).MapLinears(linear => linear.Role == LinearRole.Router ? Random(linear, random) : linear);
    }

    /// <summary>The same with routers that send every token to one expert, with a gate of 1.</summary>
    public static VitGraph AllTo(int expert, MixtureScope[] scopes, WeightFormat[] experts, VitArchitecture? architecture = null) =>
        Converted(scopes, experts, architecture).MapLinears(linear => linear.Role == LinearRole.Router ? linear with { Bias = Only(expert, linear.Outputs) } : linear);

    static Tensor Only(int expert, int experts)
    {
        var bias = new float[experts];
        bias[expert] = 100;
        return new(new(experts), bias);
    }

    static Linear Random(Linear router, Random random) => router with
    {
        Weight = new DenseWeight(new(router.Weight.ToFloat32().Shape, TinyModels.Normal(random, router.Outputs * router.Inputs, 0.5f))),
        Bias = new(new(router.Outputs), TinyModels.Normal(random, router.Outputs, 0.3f)),
    };
}
