using System.Collections.Immutable;
using System.Text.Json;
using ShiftAddVit.Checkpoints;

namespace ShiftAddVit.Tuning;

/// <summary>What an expert costs beside the others of its mixture.</summary>
/// <param name="Format">The expert: the format of its weights.</param>
/// <param name="Microseconds">Time of a token.</param>
/// <param name="Alpha">Lat / SUM Lat: the weight of its load in the loss that balances experts.</param>
/// <param name="Share">The share of the tokens at which alpha times load is the same for all experts: (1 / Lat) / SUM (1 / Lat).</param>
public readonly record struct ExpertLatency(string Format, double Microseconds, double Alpha, double Share);

/// <summary>The experts of a mixture, in their order.</summary>
/// <param name="Layer">The mixture's name.</param>
/// <param name="Experts">One for each.</param>
public sealed record MixtureLatency(string Layer, ImmutableArray<ExpertLatency> Experts)
{
    internal static MixtureLatency Of(string layer, ImmutableArray<string> formats, ImmutableArray<double> microseconds)
    {
        var (sum, rates) = (microseconds.Sum(), microseconds.Sum(time => 1 / time));
        return new(layer, [.. formats.Zip(microseconds, (format, time) => new ExpertLatency(format, time, time / sum, 1 / time / rates))]);
    }
}

/// <summary>The latencies of a model's experts, measured on one machine.</summary>
/// <param name="Machine">The processor.</param>
/// <param name="Version">The library's version.</param>
/// <param name="Rows">Tokens at a time that experts were timed on.</param>
/// <param name="Mixtures">One for each mixture, in the order of the forward pass.</param>
public sealed record ExpertLatencies(string Machine, string Version, int Rows, ImmutableArray<MixtureLatency> Mixtures)
{
    /// <summary>Writes them as JSON: <c>{"machine","version","rows","mixtures":[{"layer","experts":[{"format","us_per_token","alpha","share"}]}]}</c>.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="ShiftAddVitException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        using var json = new Utf8JsonWriter(stream, new() { Indented = true });
        json.WriteStartObject();
        json.WriteString("machine", Machine);
        json.WriteString("version", Version);
        json.WriteNumber("rows", Rows);
        json.WriteStartArray("mixtures");
        foreach (var mixture in Mixtures) Write(json, mixture);
        json.WriteEndArray();
        json.WriteEndObject();
    });

    static void Write(Utf8JsonWriter json, MixtureLatency mixture)
    {
        json.WriteStartObject();
        json.WriteString("layer", mixture.Layer);
        json.WriteStartArray("experts");
        foreach (var expert in mixture.Experts)
        {
            json.WriteStartObject();
            json.WriteString("format", expert.Format);
            json.WriteNumber("us_per_token", expert.Microseconds);
            json.WriteNumber("alpha", expert.Alpha);
            json.WriteNumber("share", expert.Share);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
