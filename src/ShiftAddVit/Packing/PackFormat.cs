using System.Runtime.InteropServices;
using ShiftAddVit.Tensors;

namespace ShiftAddVit.Packing;

/// <summary>
/// The order in which a kernel wants its weights [N,K]: panels of Nr outputs, in each panel groups of consecutive inputs, that is
/// [ceil(N / Nr)][ceil(K / KGroup)][Nr][KGroup] elements. Outputs beyond N and inputs beyond K are 0. A panel may begin with the values
/// that its accumulators start at. Where a weight has two parts, each group has the first ones of all outputs, then the second ones. Bound
/// to a kernel, never saved.
/// </summary>
public sealed record PackFormat
{
    /// <summary>
    /// The most inputs of an integer kernel. A product has magnitude at most 255 * 127, so 66,000 of them stay below 2^31 however a
    /// kernel splits its sum.
    /// </summary>
    public const int MaxInputs = 66_000;

    /// <summary>The unsigned byte that stands for the activation 0.</summary>
    const int ZeroPoint = 128;

    /// <summary>Codes of one bit in a word.</summary>
    const int WordBits = 32;

    /// <summary>Describes an order.</summary>
    /// <param name="element">What one element is: S8 a signed byte, P4 (two a byte), P4P4 and P5 the canonical codes, F32 a float.</param>
    /// <param name="nr">Outputs in a panel.</param>
    /// <param name="kGroup">Consecutive inputs of one output that lie together.</param>
    /// <param name="accumulatorStarts">
    /// Whether a panel of S8 begins with Nr int32, -128 * SUM_k w: where SUM w * q starts so that it ends as SUM w * (q - 128).
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, P4 has an odd group, or F32 not a group of 1.</exception>
    public PackFormat(WeightFormat element, int nr, int kGroup, bool accumulatorStarts = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nr, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(kGroup, 1);
        if (element == WeightFormat.F32) ArgumentOutOfRangeException.ThrowIfNotEqual(kGroup, 1);
        if (element == WeightFormat.P4) ArgumentOutOfRangeException.ThrowIfNotEqual(kGroup % 2, 0, nameof(kGroup));
        if (accumulatorStarts) ArgumentOutOfRangeException.ThrowIfNotEqual(element, WeightFormat.S8);
        (Element, Nr, KGroup, AccumulatorStarts) = (element, nr, kGroup, accumulatorStarts);
    }

    PackFormat(int nr)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nr, 1);
        (Nr, KGroup) = (nr, WordBits);
    }

    /// <summary>The order of one-bit codes: words of 32 inputs.</summary>
    /// <param name="nr">Outputs in a panel.</param>
    public static PackFormat OneBit(int nr) => new(nr);

    /// <summary>What one element is; null for one-bit codes, which are those of queries and keys and no format of weights.</summary>
    public WeightFormat? Element { get; }

    /// <summary>Outputs in a panel.</summary>
    public int Nr { get; private init; }

    /// <summary>Consecutive inputs of one output that lie together.</summary>
    public int KGroup { get; }

    /// <summary>Whether a panel begins with the values that its accumulators start at.</summary>
    public bool AccumulatorStarts { get; }

    /// <summary>How many S8 make up a weight: 2 for P5, 255 times a high one plus a low one.</summary>
    public int Parts { get; private init; } = 1;

    /// <summary>Elements of a panel beside each other: all parts of its outputs.</summary>
    internal int Columns => Parts * Nr;

    internal int StartBytes => AccumulatorStarts ? Columns * sizeof(int) : 0;

    /// <summary>This order of S8 for weights of two parts, which fill a panel with half as many outputs.</summary>
    /// <exception cref="InvalidOperationException">Elements are not S8, or outputs are odd.</exception>
    internal PackFormat InTwoParts() => Element == WeightFormat.S8 && Nr % 2 == 0
        ? this with { Parts = 2, Nr = Nr / 2 } : throw new InvalidOperationException($"{Nr} {Element} are not the parts of weights");

    int BitsPerElement => Element switch { WeightFormat.P4 => 4, WeightFormat.F32 => 32, null => 1, _ => 8 };

    /// <summary>Bytes of one panel: the distance from output n to output n + Nr.</summary>
    public long PanelBytes(int k) => StartBytes + (long)Groups(k) * Columns * KGroup * BitsPerElement / 8;

    /// <summary>Bytes of all packed weights [N,K].</summary>
    public long ByteLength(int n, int k) => (n + Nr - 1) / Nr * PanelBytes(k);

    /// <summary>Packs a plane into memory of its own.</summary>
    /// <exception cref="ArgumentException">The elements can not be made from the format of <paramref name="plane"/>.</exception>
    /// <exception cref="ArgumentOutOfRangeException">K exceeds <see cref="MaxInputs"/>.</exception>
    public AlignedBuffer Pack(WeightPlane plane)
    {
        ArgumentNullException.ThrowIfNull(plane);
        Require(plane);
        var packed = new AlignedBuffer(ByteLength(plane.Rows, plane.Columns));
        var row = new sbyte[plane.Columns];
        for (var n = 0; n < plane.Rows; n++)
            for (var part = 0; part < Parts; part++)
            {
                if (Element == WeightFormat.S8) plane.DecodeRow(n, part, row);
                else plane.UnpackRow(n, MemoryMarshal.AsBytes(row.AsSpan()));
                PackRow(row, n, part, packed.AsSpan<byte>());
            }
        return packed;
    }

    /// <summary>Packs float weights [N,K] into memory of its own.</summary>
    public AlignedBuffer Pack(int n, int k, ReadOnlySpan<float> weights)
    {
        var packed = new AlignedBuffer(ByteLength(n, k), clear: false);
        PackRows(n, k, weights, k, packed.AsSpan<float>());
        return packed;
    }

    /// <summary>Packs one-bit codes, rows of ceil(K / 32) words. Allocates nothing.</summary>
    /// <param name="n">N, outputs.</param>
    /// <param name="k">K, inputs.</param>
    /// <param name="source">N rows; input k is bit k % 32 of word k / 32, bits beyond K are 0.</param>
    /// <param name="packed">At least <see cref="ByteLength"/> / 4 words; all of those are written.</param>
    public void PackBits(int n, int k, ReadOnlySpan<uint> source, Span<uint> packed)
    {
        if (Element is not null) throw new InvalidOperationException($"bits can not be packed as {Element}");
        var words = Groups(k);
        packed[..((n + Nr - 1) / Nr * Nr * words)].Clear();
        for (var row = 0; row < n; row++)
            for (var word = 0; word < words; word++) packed[(row / Nr * words + word) * Nr + row % Nr] = source[row * words + word];
    }

    /// <summary>Packs floats whose outputs are rows: output n, input k at <c>source[n * stride + k]</c>. Allocates nothing.</summary>
    /// <param name="n">N, outputs.</param>
    /// <param name="k">K, inputs.</param>
    /// <param name="source">N rows.</param>
    /// <param name="stride">Elements from one row to the next, at least K.</param>
    /// <param name="packed">At least <see cref="ByteLength"/> / 4 floats; all of those are written.</param>
    public void PackRows(int n, int k, ReadOnlySpan<float> source, int stride, Span<float> packed)
    {
        var panelLength = FloatPanel(n, k, packed);
        for (var row = 0; row < n; row++)
        {
            var inputs = source.Slice(row * stride, k);
            var lane = packed.Slice(row / Nr * panelLength, panelLength)[(row % Nr)..];
            for (var i = 0; i < inputs.Length; i++) lane[i * Nr] = inputs[i];
        }
    }

    /// <summary>Packs floats whose outputs are columns: output n, input k at <c>source[k * stride + n]</c>. Allocates nothing.</summary>
    /// <param name="n">N, outputs.</param>
    /// <param name="k">K, inputs.</param>
    /// <param name="source">K rows.</param>
    /// <param name="stride">Elements from one row to the next, at least N.</param>
    /// <param name="packed">At least <see cref="ByteLength"/> / 4 floats; all of those are written.</param>
    public void PackColumns(int n, int k, ReadOnlySpan<float> source, int stride, Span<float> packed)
    {
        var panelLength = FloatPanel(n, k, packed);
        for (var first = 0; first < n; first += Nr)
        {
            var panel = packed.Slice(first / Nr * panelLength, panelLength);
            for (var i = 0; i < k; i++) source.Slice(i * stride + first, int.Min(Nr, n - first)).CopyTo(panel[(i * Nr)..]);
        }
    }

    /// <summary>Floats of a panel; clears the last panel when outputs are missing in it.</summary>
    int FloatPanel(int n, int k, Span<float> packed)
    {
        if (Element != WeightFormat.F32) throw new InvalidOperationException($"floats can not be packed as {Element}");
        var panelLength = checked((int)(PanelBytes(k) / sizeof(float)));
        if (n % Nr != 0) packed.Slice(n / Nr * panelLength, panelLength).Clear();
        return panelLength;
    }

    int Groups(int k) => (k + KGroup - 1) / KGroup;

    void Require(WeightPlane plane)
    {
        var fits = Element == WeightFormat.S8 ? Parts == CodeTable.Of(plane.Format).Bytes.Length : Element == plane.Format;
        if (!fits) throw new ArgumentException($"a plane of {plane.Format} can not be packed as {Element}, {Parts} a weight", nameof(plane));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(plane.Columns, MaxInputs, nameof(plane));
    }

    /// <summary>Places a part of the elements of output <paramref name="n"/>; the nibbles of P4 are filled from the low one.</summary>
    void PackRow(ReadOnlySpan<sbyte> row, int n, int part, Span<byte> packed)
    {
        var panelBytes = (int)PanelBytes(row.Length);
        var panel = packed.Slice(n / Nr * panelBytes, panelBytes);
        var elements = panel[StartBytes..];
        var column = part * Nr + n % Nr;
        if (BitsPerElement == 8) PackBytes(MemoryMarshal.AsBytes(row), elements[(column * KGroup)..]);
        else PackNibbles(row, column * KGroup, elements);
        if (AccumulatorStarts) MemoryMarshal.Cast<byte, int>(panel[..StartBytes])[column] = -ZeroPoint * Sum(row);
    }

    /// <summary>Group by group, as many groups apart as there are columns; four bytes as one, because models have millions of them.</summary>
    void PackBytes(ReadOnlySpan<byte> row, Span<byte> elements)
    {
        var k = 0;
        if (KGroup == sizeof(int))
        {
            var from = MemoryMarshal.Cast<byte, int>(row);
            var to = MemoryMarshal.Cast<byte, int>(elements);
            for (int group = 0, at = 0; group < from.Length; group++, at += Columns) to[at] = from[group];
            k = from.Length * sizeof(int);
        }
        for (; k < row.Length; k += KGroup) row.Slice(k, int.Min(KGroup, row.Length - k)).CopyTo(elements[(k * Columns)..]);
    }

    void PackNibbles(ReadOnlySpan<sbyte> row, int first, Span<byte> elements)
    {
        for (var k = 0; k < row.Length; k++)
        {
            var index = first + k / KGroup * Nr * KGroup + k % KGroup;
            elements[index >> 1] |= (byte)(row[k] << (index & 1) * 4);
        }
    }

    static int Sum(ReadOnlySpan<sbyte> row)
    {
        var sum = 0;
        foreach (var value in row) sum += value;
        return sum;
    }
}
