using System.Collections.Immutable;
using System.Text.Json;

namespace ShiftAddVit.Packing;

/// <summary>The members of a JSON object that must have exactly those asked for, each of its type.</summary>
sealed class JsonMembers
{
    readonly string _owner;
    readonly JsonElement _object;

    /// <summary>An object of so many members: with none missing, none is left over.</summary>
    /// <exception cref="FormatException">It is no object, or has another number of members.</exception>
    public JsonMembers(string owner, JsonElement element, int count)
    {
        (_owner, _object) = (owner, element);
        if (element.ValueKind != JsonValueKind.Object) throw new FormatException($"{owner} is not an object");
        if (element.GetPropertyCount() != count)
            throw new FormatException($"{owner} has {element.GetPropertyCount()} members; {count} are needed");
    }

    public bool IsNull(string name) => Find(name).ValueKind == JsonValueKind.Null;

    public int Int32(string name) => Find(name, JsonValueKind.Number).TryGetInt32(out var value) ? value : throw Wrong(name);

    public float Single(string name) => Single(name, Find(name));

    public bool Boolean(string name) => Find(name).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(name),
    };

    public string String(string name) => String(name, Find(name));

    /// <summary>The index of a text among those known.</summary>
    public int OneOf(string name, ImmutableArray<string> known)
    {
        var index = known.IndexOf(String(name), StringComparer.Ordinal);
        return index >= 0 ? index : throw new FormatException($"{_owner}.{name}: {string.Join(", ", known)} are known");
    }

    public ImmutableArray<string> Strings(string name)
    {
        var array = Find(name, JsonValueKind.Array);
        var values = ImmutableArray.CreateBuilder<string>(array.GetArrayLength());
        foreach (var item in array.EnumerateArray()) values.Add(String(name, item));
        return values.MoveToImmutable();
    }

    public ImmutableArray<float> Singles(string name)
    {
        var array = Find(name, JsonValueKind.Array);
        var values = ImmutableArray.CreateBuilder<float>(array.GetArrayLength());
        foreach (var item in array.EnumerateArray()) values.Add(Single(name, item));
        return values.MoveToImmutable();
    }

    public JsonMembers Object(string name, int count) => new(name, Find(name), count);

    public IEnumerable<JsonMembers> Objects(string name, int count)
    {
        foreach (var item in Find(name, JsonValueKind.Array).EnumerateArray()) yield return new(name, item, count);
    }

    string String(string name, JsonElement element) => element.ValueKind == JsonValueKind.String ? element.GetString()! : throw Wrong(name);

    float Single(string name, JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetSingle(out var value) ? value : throw Wrong(name);

    JsonElement Find(string name, JsonValueKind kind)
    {
        var element = Find(name);
        return element.ValueKind == kind ? element : throw Wrong(name);
    }

    JsonElement Find(string name) => _object.TryGetProperty(name, out var element) ? element : throw new FormatException($"{_owner}.{name} is missing");

    FormatException Wrong(string name) => new($"{_owner}.{name} is of another type or too large");
}
