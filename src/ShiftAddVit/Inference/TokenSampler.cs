using ShiftAddVit.Reparameterization;

namespace ShiftAddVit.Inference;

/// <summary>Keeps some of the tokens that enter layers: every so manieth of all that pass, so many that their number stays below a bound.</summary>
public sealed class TokenSampler
{
    /// <summary>More than three tokens for each input of a layer of DeiT-Tiny, and what statistics of them cost is seconds.</summary>
    const int MostTokens = 4096;

    readonly Func<string, bool> _wanted;
    readonly long _step;
    readonly Dictionary<string, (List<float> Values, int Columns, long Seen)> _samples = [];

    /// <summary>Starts without tokens.</summary>
    /// <param name="wanted">Tells by its name whether a layer is sampled.</param>
    /// <param name="tokens">How many tokens will enter each layer.</param>
    public TokenSampler(Func<string, bool> wanted, long tokens)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        (_wanted, _step) = (wanted, Math.Max(1, (tokens + MostTokens - 1) / MostTokens));
    }

    /// <summary>Takes an activation; to be used as the observer of a session.</summary>
    public void Observe(in Activation activation)
    {
        if (activation.Kind != ActivationKind.LinearInput || !_wanted(activation.Name)) return;
        var (columns, rows) = (activation.Columns, activation.Rows);
        var sample = _samples.TryGetValue(activation.Name, out var known) ? known : (Values: [], Columns: columns, Seen: 0);
        for (var row = 0; row < rows; row++)
            if ((sample.Seen + row) % _step == 0) sample.Values.AddRange(activation.Values.Slice(row * columns, columns));
        _samples[activation.Name] = sample with { Seen = sample.Seen + rows };
    }

    /// <summary>What was kept, by layer name.</summary>
    public IReadOnlyDictionary<string, TokenSample> Result() =>
        _samples.ToDictionary(entry => entry.Key, entry => new TokenSample(entry.Value.Columns, [.. entry.Value.Values]));
}
