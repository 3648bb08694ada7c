using System.Runtime.InteropServices;
using System.Text;

namespace ShiftAddVit.Benchmarks;

/// <summary>
/// An ONNX file with one MatMul, y [M,N] = x [M,K] times constant weights [K,N], as the bytes of its protocol buffer: ONNX Runtime packs
/// constant weights once, as we do.
/// </summary>
static class OnnxMatMul
{
    const int Varint = 0, Delimited = 2;
    const int IrVersion = 8, OpsetVersion = 17, Float32 = 1;

    /// <summary>Writes a file's bytes.</summary>
    /// <param name="m">M.</param>
    /// <param name="weights">[K,N].</param>
    /// <param name="n">N.</param>
    public static byte[] Create(int m, float[] weights, int n)
    {
        var k = weights.Length / n;
        byte[] node = [.. Text(1, "x"), .. Text(1, "w"), .. Text(2, "y"), .. Text(4, "MatMul")];
        byte[] constant =
            [.. Number(1, k), .. Number(1, n), .. Number(2, Float32), .. Text(8, "w"), .. Bytes(9, MemoryMarshal.AsBytes<float>(weights))];
        byte[] graph = [.. Bytes(1, node), .. Text(2, "matmul"), .. Bytes(5, constant), .. Bytes(11, Value("x", m, k)), .. Bytes(12, Value("y", m, n))];
        return [.. Number(1, IrVersion), .. Bytes(7, graph), .. Bytes(8, [.. Text(1, ""), .. Number(2, OpsetVersion)])];
    }

    static byte[] Value(string name, params ReadOnlySpan<int> extents)
    {
        var shape = new List<byte>();
        foreach (var extent in extents) shape.AddRange(Bytes(1, Number(1, extent)));
        byte[] tensor = [.. Number(1, Float32), .. Bytes(2, shape.ToArray())];
        return [.. Text(1, name), .. Bytes(2, Bytes(1, tensor))];
    }

    static byte[] Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    static byte[] Bytes(int field, ReadOnlySpan<byte> content) => [.. Base128(field << 3 | Delimited), .. Base128(content.Length), .. content];

    static byte[] Number(int field, int value) => [.. Base128(field << 3 | Varint), .. Base128(value)];

    /// <summary>Seven bits a byte, the lowest first; the highest bit says that more follow.</summary>
    static byte[] Base128(int value)
    {
        var bytes = new List<byte>();
        for (var rest = (uint)value; ; rest >>= 7)
        {
            bytes.Add((byte)(rest < 128 ? rest : rest | 128));
            if (rest < 128) return [.. bytes];
        }
    }
}
