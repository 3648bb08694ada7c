using System.Collections.Immutable;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Reparameterization;

/// <summary>What a mixture takes the place of.</summary>
public enum MixtureScope
{
    /// <summary>The layer of queries, keys and values.</summary>
    Qkv,

    /// <summary>Queries, keys and values, each with a mixture of its own.</summary>
    QueriesKeysValues,

    /// <summary>Attention's output projection.</summary>
    Projection,

    /// <summary>The first layer of the MLP.</summary>
    Fc1,

    /// <summary>The second layer of the MLP.</summary>
    Fc2,

    /// <summary>The MLP as a whole.</summary>
    Mlp,
}

/// <summary>
/// Replaces dense layers by mixtures of primitives: experts made from the same weights in several formats, and a router that sends each token to
/// one. It begins by sending every token to the first with a gate of at least 0.999, so that the model still computes what it did.
/// </summary>
public static class MixturePass
{
    /// <summary>The first expert's logit, the others' being 0: with E experts its gate is 1 / (1 + (E - 1) e^-logit).</summary>
    static float FirstLogit(int experts) => 7 + MathF.Log(experts - 1);

    /// <summary>Converts the selected layers.</summary>
    /// <param name="graph">A model whose selected layers are dense.</param>
    /// <param name="scopes">Which layers become mixtures; not both an MLP and its layers, nor qkv in both forms.</param>
    /// <param name="experts">Formats of the experts, the one that computes the model's own function first; two at least.</param>
    /// <param name="selection">Which layers of these, by name; null for all.</param>
    /// <exception cref="ShiftAddVitException">The scopes exclude each other, there are too few or too many experts, or a layer is not dense.</exception>
    public static PassResult Apply(VitGraph graph, IReadOnlyCollection<MixtureScope> scopes, ImmutableArray<WeightFormat> experts, LayerSelection? selection = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(scopes);
        var source = graph.Provenance.Source;
        RequireConsistent(source, scopes, experts);
        var changes = ImmutableArray.CreateBuilder<LayerChange>();
        var mixer = new Mixer(source, scopes, experts, selection ?? LayerSelection.All, changes);
        ImmutableArray<(Block Block, BlockForm Form)> blocks = [.. graph.Blocks.Select((block, i) => mixer.Convert(block, graph.Architecture.Forms[i], i))];
        if (changes.Count == 0) throw new ShiftAddVitException($"{source}: no layer is selected for a mixture; allowed: {string.Join(", ", Enum.GetNames<MixtureScope>()).ToLowerInvariant()}");
        var converted = graph with
        {
            Architecture = graph.Architecture with { Forms = BlockForms.Of(blocks.Select(it => it.Form)) },
            Blocks = [.. blocks.Select(it => it.Block)],
            Provenance = graph.Provenance.With($"mixtures of {string.Join(' ', experts)} in {changes.Count} layers"),
        };
        return new(converted, changes.ToImmutable());
    }

    static void RequireConsistent(string source, IReadOnlyCollection<MixtureScope> scopes, ImmutableArray<WeightFormat> experts)
    {
        Require(experts.Length is >= 2 and <= BlockForm.MaxExperts, $"{experts.Length} experts; allowed: 2..{BlockForm.MaxExperts}");
        Require(!(scopes.Contains(MixtureScope.Mlp) && (scopes.Contains(MixtureScope.Fc1) || scopes.Contains(MixtureScope.Fc2))),
            "mixtures of whole MLPs and of their layers; allowed: one or the other");
        Require(!(scopes.Contains(MixtureScope.Qkv) && scopes.Contains(MixtureScope.QueriesKeysValues)),
            "mixtures of qkv and of q, k and v; allowed: one or the other");

        void Require(bool holds, string problem)
        {
            if (!holds) throw new ShiftAddVitException($"{source}: {problem}");
        }
    }

    /// <summary>Converts block by block and keeps what it changed.</summary>
    sealed class Mixer(
        string source, IReadOnlyCollection<MixtureScope> scopes, ImmutableArray<WeightFormat> formats, LayerSelection selection,
        ImmutableArray<LayerChange>.Builder changes)
    {
        public (Block, BlockForm) Convert(Block block, BlockForm form, int index)
        {
            var qkv = block.Attention.Qkv;
            if (Selects(MixtureScope.Qkv, qkv.Name)) (qkv, form) = (Mix(qkv), form with { QkvExperts = formats.Length });
            else if (Selects(MixtureScope.QueriesKeysValues, qkv.Name))
                (qkv, form) = (Split(RequireDense(qkv)), form with { SplitsQkv = true, QkvExperts = formats.Length });
            var projection = block.Attention.Projection;
            if (Selects(MixtureScope.Projection, projection.Name)) (projection, form) = (Mix(projection), form with { ProjectionExperts = formats.Length });
            var mlp = block.Mlp;
            if (Selects(MixtureScope.Mlp, $"blocks.{index}.mlp"))
                (mlp, form) = (Mix(RequireSingle(mlp, index), $"blocks.{index}.mlp"), form with { MlpExperts = formats.Length });
            else if (mlp is Mlp single)
            {
                if (Selects(MixtureScope.Fc1, single.Fc1.Name)) (single, form) = (single with { Fc1 = Mix(single.Fc1) }, form with { Fc1Experts = formats.Length });
                if (Selects(MixtureScope.Fc2, single.Fc2.Name)) (single, form) = (single with { Fc2 = Mix(single.Fc2) }, form with { Fc2Experts = formats.Length });
                mlp = single;
            }
            return (block with { Attention = block.Attention with { Qkv = qkv, Projection = projection }, Mlp = mlp }, form);
        }

        bool Selects(MixtureScope scope, string name) => scopes.Contains(scope) && selection.Selects(name);

        Mixture Mix(Layer layer)
        {
            var dense = RequireDense(layer);
            Note(dense.Name);
            return new(dense.Name, dense.Role, Router(dense.Name, dense.Inputs), [.. formats.Select((format, e) => Expert(dense, format, $"{dense.Name}.experts.{e}"))]);
        }

        QkvSplit Split(Linear qkv)
        {
            var prefix = qkv.Name[..^"qkv".Length];
            Layer[] parts = [.. QkvSplit.Parts.Select((part, i) => Mix(Part(qkv, prefix + part, i)))];
            return new(qkv.Name, parts[0], parts[1], parts[2]);
        }

        MlpMixture Mix(Mlp mlp, string name)
        {
            var (fc1, fc2) = (RequireDense(mlp.Fc1), RequireDense(mlp.Fc2));
            Note(name);
            return new(Router(name, fc1.Inputs), [.. formats.Select((format, e) => new Mlp(
                Expert(fc1, format, $"{name}.experts.{e}.fc1"), Expert(fc2, format, $"{name}.experts.{e}.fc2")))]);
        }

        void Note(string name) => changes.Add(new(name, nameof(WeightFormat.F32), $"router, {string.Join(" | ", formats)}"));

        Linear Router(string name, int inputs)
        {
            var (weights, biases) = (new float[formats.Length * inputs], new float[formats.Length]);
            biases[0] = FirstLogit(formats.Length);
            return new($"{name}.router", LinearRole.Router, new DenseWeight(new(new(formats.Length, inputs), weights)), new(new(formats.Length), biases));
        }

        static Linear Expert(Linear dense, WeightFormat format, string name) => dense with
        {
            Name = name,
            Weight = format == WeightFormat.F32 ? dense.Weight : NearestQuantizer.Quantize(dense.Weight.ToFloat32(), format, Environment.ProcessorCount),
        };

        /// <summary>A third of the outputs.</summary>
        static Linear Part(Linear qkv, string name, int index)
        {
            var (c, k) = (qkv.Outputs / 3, qkv.Inputs);
            var weights = qkv.Weight.ToFloat32().Values.Slice(index * c * k, c * k).ToArray();
            var bias = qkv.Bias is { } all ? new Tensor(new(c), all.Values.Slice(index * c, c).ToArray()) : null;
            return new(name, LinearRole.Qkv, new DenseWeight(new(new(c, k), weights)), bias);
        }

        Linear RequireDense(Layer layer) => layer is Linear { Weight: DenseWeight } dense
            ? dense
            : throw new ShiftAddVitException($"{source}: {layer.Name} is {Describe(layer)} already; a mixture is made from a dense layer");

        Mlp RequireSingle(MlpLayer mlp, int block) => mlp as Mlp
            ?? throw new ShiftAddVitException($"{source}: blocks.{block}.mlp is a mixture already; a mixture is made from a dense layer");

        static string Describe(Layer layer) => layer is Linear linear ? $"{linear.Weight.Format}" : layer is Mixture ? "a mixture" : "split";
    }
}
