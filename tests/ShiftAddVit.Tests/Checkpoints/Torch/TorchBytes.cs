using System.IO.Compression;
using System.Text;

namespace ShiftAddVit.Tests.Checkpoints.Torch;

/// <summary>PyTorch files put together by hand, right or wrong; the zip files by System.IO.Compression.</summary>
static class TorchBytes
{
    /// <summary>Characters up to 255 stand for bytes.</summary>
    public static byte[] Raw(string text) => Encoding.Latin1.GetBytes(text);

    public static byte[] Zip(params (string Name, byte[] Data)[] entries) => Zip(CompressionLevel.NoCompression, entries);

    public static byte[] Zip(CompressionLevel level, params (string Name, byte[] Data)[] entries)
    {
        var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, data) in entries)
            {
                using var entry = zip.CreateEntry(name, level).Open();
                entry.Write(data);
            }
        return bytes.ToArray();
    }

    /// <summary>A file whose data.pkl is the given opcodes in protocol 2, beside a storage "0" of four floats 0 to 3.</summary>
    public static byte[] File(string opcodes) =>
        Zip(("a/data.pkl", Raw("\u0080\u0002" + opcodes)), ("a/data/0", [.. new float[] { 0, 1, 2, 3 }.SelectMany(BitConverter.GetBytes)]));

    /// <summary>Opcodes of {"w": tensor}.</summary>
    public static string Dict(string tensor) => $"}}{Text("w")}{tensor}s.";

    public static string Tensor(
        int offset, int[] extents, int[] strides, int elements = 4, string key = "0", string type = "FloatStorage") =>
        $"ctorch._utils\n_rebuild_tensor_v2\n(({Text("storage")}ctorch\n{type}\n{Text(key)}{Text("cpu")}{Integer(elements)}tQ"
        + $"{Integer(offset)}{Tuple(extents)}{Tuple(strides)}\u0089}}tR";

    public static string Text(string text) => "X" + Raw32(text.Length) + text;

    public static string Integer(int value) => "J" + Raw32(value);

    static string Tuple(int[] values) => "(" + string.Concat(values.Select(Integer)) + "t";

    static string Raw32(int value) => Encoding.Latin1.GetString(BitConverter.GetBytes(value));
}
