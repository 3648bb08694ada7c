using System.Buffers;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace ShiftAddVit.Imaging;

/// <summary>
/// Resizes an image and keeps a window of the result, computing nothing outside it: first along rows, then along columns, each pass
/// rounded to 8 bits. Equal to the bit to Pillow's <c>resize(..., BICUBIC)</c> followed by <c>crop</c>.
/// </summary>
static class CroppedResize
{
    // Blend reads and writes 4 bytes where a pixel has 3: a row of scratch ends in slack.
    const int Slack = 1;

    /// <summary>
    /// Writes window [crop, crop, 3] at (<paramref name="left"/>, <paramref name="top"/>) of the image resized to <paramref name="size"/>.
    /// </summary>
    public static void Run(RgbImage image, (int Width, int Height) size, int left, int top, int crop, Span<byte> window)
    {
        var columns = new ResizeAxis(image.Width, size.Width, left, crop);
        var rows = new ResizeAxis(image.Height, size.Height, top, crop);
        var (first, count) = (rows.FirstInput, rows.EndInput - rows.FirstInput);
        var stride = (crop * RgbImage.Channels + Slack + 3) & ~3;
        var buffer = ArrayPool<byte>.Shared.Rent(count * stride);
        var source = ArrayPool<byte>.Shared.Rent(image.Width * RgbImage.Channels + Slack);
        for (var y = 0; y < count; y++)
        {
            image.Row(first + y).CopyTo(source);
            ResizeRow(source, columns, crop, buffer.AsSpan(y * stride, stride));
        }
        for (var y = 0; y < crop; y++)
            BlendRows(buffer.AsSpan((rows.First(y) - first) * stride), stride, rows.Weights(y), window.Slice(y * crop * 3, crop * 3));
        ArrayPool<byte>.Shared.Return(source);
        ArrayPool<byte>.Shared.Return(buffer);
    }

    static void ResizeRow(ReadOnlySpan<byte> source, ResizeAxis columns, int crop, Span<byte> row)
    {
        for (var x = 0; x < crop; x++)
        {
            var pixel = Blend(source[(columns.First(x) * RgbImage.Channels)..], RgbImage.Channels, columns.Weights(x));
            MemoryMarshal.Write(row[(x * RgbImage.Channels)..], pixel);
        }
    }

    static void BlendRows(ReadOnlySpan<byte> rows, int stride, ReadOnlySpan<int> weights, Span<byte> row)
    {
        var x = 0;
        for (; x <= row.Length - sizeof(uint); x += sizeof(uint)) MemoryMarshal.Write(row[x..], Blend(rows[x..], stride, weights));
        if (x == row.Length) return;
        Span<byte> last = stackalloc byte[sizeof(uint)];
        MemoryMarshal.Write(last, Blend(rows[x..], stride, weights));
        last[..(row.Length - x)].CopyTo(row[x..]);
    }

    /// <summary>Four lanes of SUM_k weights[k] * samples[k * stride + lane], rounded to levels; each lane is exact in 32 bits.</summary>
    static uint Blend(ReadOnlySpan<byte> samples, int stride, ReadOnlySpan<int> weights)
    {
        var sum = Vector128.Create(1 << (ResizeAxis.FractionBits - 1));
        for (int k = 0, at = 0; k < weights.Length; k++, at += stride)
        {
            var four = Vector128.CreateScalar(MemoryMarshal.Read<uint>(samples[at..])).AsByte();
            sum += Vector128.WidenLower(Vector128.WidenLower(four)).AsInt32() * weights[k];
        }
        var levels = Vector128.Clamp(sum >> ResizeAxis.FractionBits, Vector128<int>.Zero, Vector128.Create(255)).AsUInt32();
        var halves = Vector128.Narrow(levels, levels);
        return Vector128.Narrow(halves, halves).AsUInt32().ToScalar();
    }
}
