using System.Collections.Immutable;
using System.Text.Json;
using ShiftAddVit.Models;

namespace ShiftAddVit.Packing;

/// <summary>The forms of blocks as JSON, as <see cref="SavitHeaderJson"/>.</summary>
static class BlockFormJson
{
    static readonly ImmutableArray<string> Kinds = [.. Enum.GetNames<AttentionKind>()], Codes = [.. Enum.GetNames<CodeRule>()];

    public static void Write(Utf8JsonWriter json, string name, BlockForms forms)
    {
        json.WriteStartArray(name);
        for (var i = 0; i < forms.Count; i++)
        {
            json.WriteStartObject();
            Write(json, forms[i].Attention);
            json.WriteBoolean("splitsQkv", forms[i].SplitsQkv);
            json.WriteNumber("qkvExperts", forms[i].QkvExperts);
            json.WriteNumber("projectionExperts", forms[i].ProjectionExperts);
            json.WriteNumber("fc1Experts", forms[i].Fc1Experts);
            json.WriteNumber("fc2Experts", forms[i].Fc2Experts);
            json.WriteNumber("mlpExperts", forms[i].MlpExperts);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    public static BlockForms Read(JsonMembers owner, string name) => BlockForms.Of(owner.Objects(name, 7).Select(of => new BlockForm
    {
        Attention = Attention(of.Object("attention", 6)), SplitsQkv = of.Boolean("splitsQkv"), QkvExperts = of.Int32("qkvExperts"),
        ProjectionExperts = of.Int32("projectionExperts"), Fc1Experts = of.Int32("fc1Experts"), Fc2Experts = of.Int32("fc2Experts"),
        MlpExperts = of.Int32("mlpExperts"),
    }));

    static void Write(Utf8JsonWriter json, AttentionForm form)
    {
        json.WriteStartObject("attention");
        json.WriteString("kind", Kinds[(int)form.Kind]);
        json.WriteString("codes", Codes[(int)form.Codes]);
        json.WriteNumber("codeBits", form.CodeBits);
        json.WriteBoolean("keyBias", form.KeyBias);
        json.WriteBoolean("codeScales", form.CodeScales);
        json.WriteBoolean("convolution", form.Convolution);
        json.WriteEndObject();
    }

    static AttentionForm Attention(JsonMembers of) => new(
        (AttentionKind)of.OneOf("kind", Kinds), (CodeRule)of.OneOf("codes", Codes), of.Int32("codeBits"), of.Boolean("keyBias"),
        of.Boolean("codeScales"), of.Boolean("convolution"));
}
