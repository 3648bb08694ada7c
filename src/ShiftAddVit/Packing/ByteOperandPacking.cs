using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ShiftAddVit.Packing;

/// <summary>
/// Packs activations as the second operand of an integer kernel: bytes with zero point 128 become the signed weights of an order of S8.
/// Allocates nothing. What lies beyond N in the last panel is left as it was: kernels drop what they make of it.
/// </summary>
static unsafe class ByteOperandPacking
{
    const int ZeroPoint = 128, Quad = 4;

    extension(PackFormat format)
    {
        /// <summary>
        /// Outputs are rows: w[n,k] = source[n * stride + k] - 128. Accumulators start as weights' do, for activations with zero point 128.
        /// </summary>
        /// <param name="first">The first output to pack.</param>
        /// <param name="count">How many.</param>
        /// <param name="k">K, inputs.</param>
        /// <param name="source">Row <paramref name="first"/>.</param>
        /// <param name="stride">Bytes from one row to the next.</param>
        /// <param name="packed">All outputs, <see cref="PackFormat.ByteLength"/> bytes.</param>
        public void PackRows(int first, int count, int k, byte* source, nint stride, byte* packed)
        {
            var (panelBytes, group) = ((nint)format.PanelBytes(k), format.KGroup);
            var (panel, lane) = Math.DivRem(first, format.Nr);
            packed += panel * panelBytes;
            for (var row = 0; row < count; row++, source += stride)
            {
                if (format.AccumulatorStarts) ((int*)packed)[lane] = -ZeroPoint * (Sum(source, k) - ZeroPoint * k);
                var target = packed + format.StartBytes + lane * group;
                if (group == Quad && k % Quad == 0) CopyQuads(source, k, target, format.Nr * Quad);
                else CopyGroups(source, stride: 1, k, target, format);
                if (++lane < format.Nr) continue;
                packed += panelBytes;
                lane = 0;
            }
        }

        /// <summary>
        /// Outputs are columns: w[n,k] = source[k * stride + n] - 128, for activations with zero point 0. Where the kernel takes the starts of its
        /// accumulators from the panel they are 0; elsewhere it adds -128 SUM_k w, which <paramref name="offsets"/> takes back.
        /// </summary>
        /// <param name="n">N, outputs.</param>
        /// <param name="k">K, inputs.</param>
        /// <param name="source">K rows.</param>
        /// <param name="stride">Bytes from one row to the next.</param>
        /// <param name="packed"><see cref="PackFormat.ByteLength"/> bytes.</param>
        /// <param name="offsets">[N], to be added to the accumulators.</param>
        public void PackColumns(int n, int k, byte* source, nint stride, byte* packed, int* offsets)
        {
            var sixteens = n % Vector128<byte>.Count == 0 && format.Nr % Vector128<byte>.Count == 0;
            var quads = format.KGroup == Quad && k % Quad == 0 && sixteens && Sse2.IsSupported;
            for (var column = 0; column < n; column += quads ? Vector128<byte>.Count : 1)
            {
                var panel = packed + column / format.Nr * (nint)format.PanelBytes(k);
                var target = panel + format.StartBytes + column % format.Nr * format.KGroup;
                if (quads) InterleaveQuads(source + column, stride, k, target, format.Nr * Quad);
                else CopyGroups(source + column, stride, k, target, format);
            }
            for (var column = 0; column < n; column++)
            {
                offsets[column] = format.AccumulatorStarts ? 0 : ZeroPoint * (Sum(source + column, stride, k) - ZeroPoint * k);
                if (format.AccumulatorStarts) ((int*)(packed + column / format.Nr * (nint)format.PanelBytes(k)))[column % format.Nr] = 0;
            }
        }
    }

    static int Sum(byte* row, int k)
    {
        var (sum, i) = (0, 0);
        if (Avx2.IsSupported)
        {
            var sums = Vector256<long>.Zero;
            for (; i <= k - Vector256<byte>.Count; i += Vector256<byte>.Count)
                sums += Avx2.SumAbsoluteDifferences(Vector256.Load(row + i), Vector256<byte>.Zero).AsInt64();
            sum = (int)Vector256.Sum(sums);
        }
        for (; i < k; i++) sum += row[i];
        return sum;
    }

    static int Sum(byte* source, nint stride, int k)
    {
        var sum = 0;
        for (var i = 0; i < k; i++) sum += source[i * stride];
        return sum;
    }

    /// <summary>Any order; inputs beyond K in the last group are 0.</summary>
    static void CopyGroups(byte* source, nint stride, int k, byte* target, PackFormat format)
    {
        var group = format.KGroup;
        for (var i = 0; i < (k + group - 1) / group * group; i++)
            target[(nint)(i / group) * format.Nr * group + i % group] = i < k ? (byte)(source[i * stride] - ZeroPoint) : (byte)0;
    }

    /// <summary>Two quads at a time; subtracting 128 inverts the highest bit.</summary>
    static void CopyQuads(byte* source, int k, byte* target, nint step)
    {
        var i = 0;
        for (; i <= k - 2 * Quad; i += 2 * Quad, target += 2 * step)
        {
            var quads = *(ulong*)(source + i) ^ 0x8080808080808080;
            *(uint*)target = (uint)quads;
            *(uint*)(target + step) = (uint)(quads >> 32);
        }
        if (i < k) *(uint*)target = *(uint*)(source + i) ^ 0x80808080;
    }

    /// <summary>16 columns: the bytes of four rows, one beside the other.</summary>
    static void InterleaveQuads(byte* source, nint stride, int k, byte* target, nint step)
    {
        var sign = Vector128.Create((byte)ZeroPoint);
        for (var i = 0; i < k; i += Quad, source += Quad * stride, target += step)
        {
            var (row0, row1) = (Vector128.Load(source) ^ sign, Vector128.Load(source + stride) ^ sign);
            var (row2, row3) = (Vector128.Load(source + 2 * stride) ^ sign, Vector128.Load(source + 3 * stride) ^ sign);
            var (low01, high01) = (Sse2.UnpackLow(row0, row1).AsInt16(), Sse2.UnpackHigh(row0, row1).AsInt16());
            var (low23, high23) = (Sse2.UnpackLow(row2, row3).AsInt16(), Sse2.UnpackHigh(row2, row3).AsInt16());
            Sse2.UnpackLow(low01, low23).AsByte().Store(target);
            Sse2.UnpackHigh(low01, low23).AsByte().Store(target + 16);
            Sse2.UnpackLow(high01, high23).AsByte().Store(target + 32);
            Sse2.UnpackHigh(high01, high23).AsByte().Store(target + 48);
        }
    }
}
