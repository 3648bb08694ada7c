using System.Runtime.InteropServices;
using ShiftAddVit.Models;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Packing;

/// <summary>
/// The layout of a <c>.savit</c> file, all integers little-endian: magic (8 bytes), version (u32), header length (u32), file length (u64),
/// SHA-256 of everything but itself (32), 8 zero bytes; the JSON header, padded with spaces; the planes in the header's order, each
/// padded with zeros. Everything starts on a multiple of 64 bytes.
/// </summary>
static class SavitFormat
{
    /// <summary>What a model of plain blocks is written as; all other models have forms in their header.</summary>
    public const uint PlainVersion = 1, FormsVersion = 2;
    public const int Alignment = 64;
    public const int PrologueLength = 64;
    public const int MaxHeaderLength = 16 << 20;
    public const int HashOffset = 24;
    public const int HashLength = 32;
    public const string ScaleSuffix = ".scale";

    /// <summary>Bytes that no text editor and no transfer in text mode leaves alone.</summary>
    public static ReadOnlySpan<byte> Magic => "SAVIT\r\n\x1a"u8;

    /// <summary>The next multiple of <see cref="Alignment"/>.</summary>
    public static long Align(long length) => (length + Alignment - 1) & -Alignment;

    /// <summary>Bytes of a plane without its padding.</summary>
    public static long ByteLength(PlaneEncoding encoding, Shape shape) => encoding switch
    {
        PlaneEncoding.F32 => 4L * shape.ElementCount,
        PlaneEncoding.F16 => 2L * shape.ElementCount,
        _ => (long)shape[0] * WeightPlane.RowLength(Format(encoding), shape.ElementCount / shape[0]),
    };

    /// <summary>The weight format whose codes a plane holds.</summary>
    public static WeightFormat Format(PlaneEncoding encoding) => encoding switch
    {
        PlaneEncoding.S8 => WeightFormat.S8,
        PlaneEncoding.P4 => WeightFormat.P4,
        PlaneEncoding.P4P4 => WeightFormat.P4P4,
        PlaneEncoding.P5 => WeightFormat.P5,
        _ => WeightFormat.F32,
    };

    /// <summary>Whether a plane is followed by one of row scales.</summary>
    public static bool HasScales(PlaneEncoding encoding) =>
        encoding is not (PlaneEncoding.F32 or PlaneEncoding.F16) && Codebook.Of(Format(encoding)).Scale is null;

    /// <summary>The planes of a model and their bytes, each made when it is asked for.</summary>
    public static List<(Plane Plane, Func<byte[]> Bytes)> Planes(VitGraph graph)
    {
        var planes = new List<(Plane, Func<byte[]>)>();
        graph.MapTensors((name, tensor) => { planes.Add(FloatPlane(name, tensor)); return tensor; });
        foreach (var linear in graph.Linears())
            if (linear.Weight is QuantizedWeight quantised)
            {
                var encoding = Enum.Parse<PlaneEncoding>(quantised.Format.ToString());
                planes.Add((new(linear.Name + ".weight", encoding), () => quantised.Plane.Codes.ToArray()));
                if (HasScales(encoding)) planes.Add((new(linear.Name + ".weight" + ScaleSuffix, PlaneEncoding.F32), () => Bytes(quantised.Scales.Values)));
            }
        return planes;
    }

    static (Plane, Func<byte[]>) FloatPlane(string name, Tensor tensor) => HalfPrecision.IsExact(tensor.Values)
        ? (new(name, PlaneEncoding.F16), () => HalfBytes(tensor.Values))
        : (new(name, PlaneEncoding.F32), () => Bytes(tensor.Values));

    static byte[] Bytes(ReadOnlySpan<float> values) => MemoryMarshal.AsBytes(values).ToArray();

    static byte[] HalfBytes(ReadOnlySpan<float> values)
    {
        var halves = new Half[values.Length];
        for (var i = 0; i < halves.Length; i++) halves[i] = (Half)values[i];
        return MemoryMarshal.AsBytes<Half>(halves).ToArray();
    }
}
