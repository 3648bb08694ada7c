using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using ShiftAddVit.Models;

namespace ShiftAddVit.Packing;

/// <summary>
/// The header as JSON, member by member. No serializer: its generic code is compiled anew in each process, which takes longer than
/// reading the weights of a small model.
/// </summary>
static class SavitHeaderJson
{
    /// <summary>Deeper than any header.</summary>
    const int MaxDepth = 16;

    static readonly ImmutableArray<string> Encodings = [.. Enum.GetNames<PlaneEncoding>()];

    public static byte[] Write(SavitHeader header)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            Write(json, header.Architecture);
            Write(json, header.Preprocessing);
            WriteStrings(json, "classNames", header.ClassNames);
            Write(json, header.Provenance);
            json.WriteStartArray("planes");
            foreach (var plane in header.Planes)
            {
                json.WriteStartObject();
                json.WriteString("name", plane.Name);
                json.WriteString("encoding", Encodings[(int)plane.Encoding]);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return bytes.WrittenSpan.ToArray();
    }

    /// <summary>Reads what <see cref="Write(SavitHeader)"/> wrote; no member may be missing, occur twice or be unknown.</summary>
    /// <param name="utf8">The header.</param>
    /// <param name="hasForms">Whether the architecture says the form of each block.</param>
    /// <exception cref="JsonException">It is no JSON.</exception>
    /// <exception cref="FormatException">It is another header, or a value has another type.</exception>
    public static SavitHeader Read(ReadOnlyMemory<byte> utf8, bool hasForms)
    {
        using var document = JsonDocument.Parse(utf8, new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
        var root = new JsonMembers("header", document.RootElement, 5);
        return new(
            Architecture(root.Object("architecture", hasForms ? 11 : 10), hasForms), root.IsNull("preprocessing") ? null : Preprocessing(root.Object("preprocessing", 4)),
            root.Strings("classNames"), Provenance(root.Object("provenance", 3)), [.. root.Objects("planes", 2).Select(Plane)]);
    }

    static void Write(Utf8JsonWriter json, VitArchitecture a)
    {
        json.WriteStartObject("architecture");
        json.WriteNumber("imageSize", a.ImageSize);
        json.WriteNumber("patchSize", a.PatchSize);
        json.WriteNumber("width", a.Width);
        json.WriteNumber("depth", a.Depth);
        json.WriteNumber("heads", a.Heads);
        json.WriteNumber("mlpWidth", a.MlpWidth);
        json.WriteNumber("classes", a.Classes);
        json.WriteBoolean("qkvBias", a.QkvBias);
        json.WriteBoolean("distillationToken", a.DistillationToken);
        json.WriteNumber("layerNormEpsilon", a.LayerNormEpsilon);
        if (!a.Forms.IsPlain) BlockFormJson.Write(json, "blocks", a.Forms);
        json.WriteEndObject();
    }

    static VitArchitecture Architecture(JsonMembers of, bool hasForms) => new(
        of.Int32("imageSize"), of.Int32("patchSize"), of.Int32("width"), of.Int32("depth"), of.Int32("heads"), of.Int32("mlpWidth"),
        of.Int32("classes"), of.Boolean("qkvBias"), of.Boolean("distillationToken"), of.Single("layerNormEpsilon"))
    {
        Forms = hasForms ? BlockFormJson.Read(of, "blocks") : BlockForms.Plain,
    };

    static void Write(Utf8JsonWriter json, Preprocessing? preprocessing)
    {
        if (preprocessing is null)
        {
            json.WriteNull("preprocessing");
            return;
        }
        json.WriteStartObject("preprocessing");
        if (preprocessing.Resize is { } resize) json.WriteNumber("resize", resize);
        else json.WriteNull("resize");
        json.WriteNumber("crop", preprocessing.Crop);
        WriteNumbers(json, "mean", preprocessing.Mean);
        WriteNumbers(json, "std", preprocessing.Std);
        json.WriteEndObject();
    }

    static Preprocessing Preprocessing(JsonMembers of) =>
        new(of.IsNull("resize") ? null : of.Int32("resize"), of.Int32("crop"), of.Singles("mean"), of.Singles("std"));

    static void Write(Utf8JsonWriter json, Provenance provenance)
    {
        json.WriteStartObject("provenance");
        json.WriteString("source", provenance.Source);
        json.WriteString("sha256", provenance.Sha256);
        WriteStrings(json, "steps", provenance.Steps);
        json.WriteEndObject();
    }

    static Provenance Provenance(JsonMembers of) => new(of.String("source"), of.String("sha256"), of.Strings("steps"));

    static Plane Plane(JsonMembers of) => new(of.String("name"), (PlaneEncoding)of.OneOf("encoding", Encodings));

    static void WriteStrings(Utf8JsonWriter json, string name, ImmutableArray<string> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteStringValue(value);
        json.WriteEndArray();
    }

    static void WriteNumbers(Utf8JsonWriter json, string name, ImmutableArray<float> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
