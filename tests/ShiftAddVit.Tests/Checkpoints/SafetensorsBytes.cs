using System.Buffers.Binary;
using System.Text;

namespace ShiftAddVit.Tests.Checkpoints;

/// <summary>Safetensors files put together by hand, right or wrong.</summary>
static class SafetensorsBytes
{
    public static byte[] Of(string json, int dataBytes) => Of(json, new byte[dataBytes]);

    public static byte[] Of(string json, ReadOnlySpan<byte> data)
    {
        var text = Encoding.UTF8.GetBytes(json);
        return [.. Length((ulong)text.Length), .. text, .. data];
    }

    public static byte[] Length(ulong length)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        return bytes;
    }

    public static string Entry(string name, string dtype, string shape, long begin, long end) =>
        $$"""{{name}}:{"dtype":"{{dtype}}","shape":[{{shape}}],"data_offsets":[{{begin}},{{end}}]}""";
}
