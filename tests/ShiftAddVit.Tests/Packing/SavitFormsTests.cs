using System.Text.Json.Nodes;
using ShiftAddVit.Models;
using ShiftAddVit.Packing;
using ShiftAddVit.Tensors;
using ShiftAddVit.Tests.Checkpoints;

namespace ShiftAddVit.Tests.Packing;

/// <summary>Version 2 of the format, whose header says the form of each block: round trips, and headers that lie.</summary>
public sealed class SavitFormsTests : IDisposable
{
    static readonly SavitBytes Good = SavitBytes.Of(MixtureModels.Create(MixtureModels.Scopes[0], MixtureModels.Experts[0]));

    readonly TemporaryFolder _folder = new();

    public static TheoryData<int, int> Models
    {
        get
        {
            var data = new TheoryData<int, int>();
            for (var scopes = 0; scopes < MixtureModels.Scopes.Length; scopes++)
                for (var experts = 0; experts < MixtureModels.Experts.Length; experts++) data.Add(scopes, experts);
            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory, MemberData(nameof(Models))]
    public void A_model_with_mixtures_comes_back_as_it_was(int scopes, int experts)
    {
        var graph = MixtureModels.Create(MixtureModels.Scopes[scopes], MixtureModels.Experts[experts]);
        PackedModel.Pack(graph).Save(_folder["model.savit"]);
        var loaded = PackedModel.Load(_folder["model.savit"]).Graph;
        Assert.Equal(graph.Architecture, loaded.Architecture);
        Assert.Equal(graph.Linears().Select(Describe), loaded.Linears().Select(Describe));
        Assert.Equal(graph.Mixtures().Select(mixture => mixture.Name), loaded.Mixtures().Select(mixture => mixture.Name));
        foreach (var (expected, actual) in graph.Linears().Zip(loaded.Linears()))
            Assert.True(expected.Weight.ToFloat32().Values.SequenceEqual(actual.Weight.ToFloat32().Values), expected.Name);
        Assert.Equal(2u, File.ReadAllBytes(_folder["model.savit"])[8]);
    }

    static (string, LinearRole, WeightFormat) Describe(Linear linear) => (linear.Name, linear.Role, linear.Weight.Format);

    /// <summary>What is changed in the form of the first block, and what the message says.</summary>
    static readonly Dictionary<string, (Action<JsonObject> Change, string Word)> Lies = new()
    {
        ["unknown kind"] = (block => block["attention"]!["kind"] = "Hyperbolic", "kind"),
        ["unknown code rule"] = (block => block["attention"]!["codes"] = "Morse", "codes"),
        ["kind of another type"] = (block => block["attention"]!["kind"] = 3, "kind"),
        ["no attention"] = (block => block.Remove("attention"), "damaged"),
        ["more experts than planes"] = (block => block["qkvExperts"] = 3, "plane blocks.0.attn.qkv"),
        ["fewer experts than planes"] = (block => block["projectionExperts"] = 1, "unknown plane"),
        ["no experts"] = (block => block["fc1Experts"] = 0, "0 experts of a layer; allowed: 1..8"),
        ["negative experts"] = (block => block["fc2Experts"] = -2, "-2 experts of a layer; allowed: 1..8"),
        ["too many experts"] = (block => block["mlpExperts"] = 9, "9 experts of a layer; allowed: 1..8"),
        ["experts of an MLP and of its layers"] = (block => block["mlpExperts"] = 2, "allowed: one or the other"),
        ["experts that are no number"] = (block => block["qkvExperts"] = "two", "qkvExperts"),
        ["a split that the planes do not have"] = (block => block["splitsQkv"] = true, "unknown plane"),
        ["a split that is no truth value"] = (block => block["splitsQkv"] = 1, "splitsQkv"),
        ["binary attention without its parameters"] = (block => block["attention"]!["kind"] = "Taylor", "blocks.0"),
        ["a member too many"] = (block => block["temperature"] = 1, "damaged"),
        ["a member too few"] = (block => block.Remove("fc1Experts"), "damaged"),
    };

    public static TheoryData<string> Kinds => [.. Lies.Keys];

    [Theory, MemberData(nameof(Kinds))]
    public void A_form_that_lies_is_refused(string lie)
    {
        var (change, word) = Lies[lie];
        Refuses(header => change(Blocks(header)[0]!.AsObject()), word);
    }

    [Fact]
    public void The_number_of_forms_is_that_of_the_blocks()
    {
        Refuses(header => Blocks(header).RemoveAt(1), "blocks");
        Refuses(header => Blocks(header).Add(Blocks(header)[0]!.DeepClone()), "blocks");
        Refuses(header => Blocks(header).Clear());
        Refuses(header => header["architecture"]!.AsObject().Remove("blocks"));
        Refuses(header => header["architecture"]!["blocks"] = 2);
    }

    [Fact]
    public void Planes_of_mixtures_are_complete_and_no_others()
    {
        foreach (var name in (string[])["blocks.0.attn.qkv.router.weight", "blocks.1.mlp.fc2.experts.1.weight", "blocks.0.mlp.fc1.experts.0.bias"])
        {
            Refuses(header => Planes(header).Remove(Plane(header, name)), $"plane {name} is missing");
            Refuses(header => Plane(header, name)["name"] = "blocks.0.attn.qkv.experts.7.weight", "unknown plane");
        }
    }

    [Fact]
    public void A_model_whose_blocks_are_all_plain_is_no_version_2() => Refuses(header =>
    {
        foreach (var block in Blocks(header))
            foreach (var experts in (string[])["qkvExperts", "projectionExperts", "fc1Experts", "fc2Experts"]) block![experts] = 1;
    }, "version 2");

    [Fact]
    public void Forms_under_version_1_are_refused()
    {
        var bytes = (byte[])Good.Bytes.Clone();
        bytes[8] = 1;
        File.WriteAllBytes(_folder["model.savit"], new SavitBytes(bytes).Sealed().Bytes);
        Refused.By(_folder["model.savit"], () => PackedModel.Load(_folder["model.savit"]), "damaged");
    }

    void Refuses(Action<JsonObject> change, params string[] words)
    {
        File.WriteAllBytes(_folder["model.savit"], Good.WithHeader(change).Bytes);
        Refused.By(_folder["model.savit"], () => PackedModel.Load(_folder["model.savit"]), words);
    }

    static JsonArray Blocks(JsonObject header) => header["architecture"]!["blocks"]!.AsArray();

    static JsonArray Planes(JsonObject header) => header["planes"]!.AsArray();

    static JsonNode Plane(JsonObject header, string name) => Planes(header).Single(plane => (string)plane!["name"]! == name)!;
}
