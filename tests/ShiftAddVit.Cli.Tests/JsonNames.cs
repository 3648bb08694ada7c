using System.Text.Json;

namespace ShiftAddVit.Cli.Tests;

static class JsonNames
{
    /// <summary>The names of an object's properties in their order, separated by blanks.</summary>
    public static string Of(JsonElement value) => string.Join(' ', value.EnumerateObject().Select(property => property.Name));
}
